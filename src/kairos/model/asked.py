"""The tasks as methods of a model: `model.ask(video, ...)` is `kairos.tasks.ask(model, video, ...)`."""

from __future__ import annotations

from typing import Any

__all__ = ["Asked"]


class Asked:
    """Whatever opens sessions (`tasks.protocol.Model`) can be asked. Tasks load when they are put."""

    def ask(self, video: Any, query: str, **options: Any) -> Any:
        from kairos import tasks

        return tasks.ask(self, video, query, **options)

    def ground(self, video: Any, query: str, **options: Any) -> Any:
        from kairos import tasks

        return tasks.ground(self, video, query, **options)

    def highlight(self, video: Any, query: str, **options: Any) -> Any:
        from kairos import tasks

        return tasks.highlight(self, video, query, **options)

    def caption(self, video: Any, query: str = "", **options: Any) -> Any:
        from kairos import tasks

        return tasks.caption(self, video, query, **options)

    def locate(self, video: Any, query: str, **options: Any) -> Any:
        from kairos import tasks

        return tasks.locate(self, video, query, **options)

    def track(self, video: Any, query: str | None = None, **options: Any) -> Any:
        from kairos import tasks

        return tasks.track(self, video, query, **options)

    def segment(self, video: Any, query: str = "", **options: Any) -> Any:
        from kairos import tasks

        return tasks.segment(self, video, query, **options)

    def watch(self: Any, source: Any, *queries: str, **options: Any) -> Any:
        from kairos import tasks

        return tasks.watch(self, source, *queries, **options)
