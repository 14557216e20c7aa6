"""Rate limits that all workers share.

Theory of operation
- A *permit* is the right to make one call from a given moment on. Permits are taken from the *owner* of a limit: an
  account at a provider. All that the workers share about an owner fits one item of the Telemetry table (`LimitState`),
  and permits are taken by one conditional write (`Acquire`; `gcra` has its meaning, `dynamodb` performs it).
- The item's number is `tat`, the theoretical arrival time of GCRA. A `tat` in the future is the tail of a queue, and a
  permit taken there is a *reservation*: the message is requeued until its moment, or the worker waits (`planning`
  decides which).
- While there is a queue, a tenth of the rate is kept for tenants that have nothing in it (`fairness`).
- A batch takes its permits in one conversation (`acquiring`), which plans from which owners (`planning`) by what this
  worker last saw (`local_view`). While the table is unavailable, a worker goes on with its share of each limit.
- A limit that was not declared is learned from refusals (`learning`, `learned_rate`).
- `limiter` performs the conversations for a worker's threads, on the table's own time (`FleetClock`).
"""
