import pytest
from hypothesis import settings

pytest.register_assert_rewrite("session_rules")

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")
