"""Cell simulations as a service: asked for as jobs, solved in other processes, kept once for each input.

The walk: `asked` (a request becomes items) -> `service` (a job) -> `solving` (its parts become records) -> `service`
(records, figures and differences are told).
"""
