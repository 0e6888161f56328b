"""`running` moves by itself, `halted` waits for `workflow_instances.submit_input`; `completed`, `failed` and
`cancelled` have ended.
"""

from __future__ import annotations

from typing import Literal

KnownWorkflowInstanceStatus = Literal["cancelled", "completed", "failed", "halted", "running"]
"""`running` moves by itself, `halted` waits for `workflow_instances.submit_input`; `completed`, `failed` and
`cancelled` have ended.
"""
WorkflowInstanceStatus = KnownWorkflowInstanceStatus | str
"""`running` moves by itself, `halted` waits for `workflow_instances.submit_input`; `completed`, `failed` and
`cancelled` have ended.

Open: an unlisted value from a newer server is kept unchanged. Only send values of `KnownWorkflowInstanceStatus`.
"""
