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

Open: a value that is not listed, from a server that knows more of them, is kept as it came. What is sent is one of
`KnownWorkflowInstanceStatus`.
"""
