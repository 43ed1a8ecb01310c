"""The Optuna dashboard over our studies, with what it cannot know by itself.

A request passes, from the outside in: :mod:`~tuner.dashboard.http_server` (limits), :mod:`~tuner.dashboard.headers`
(what a browser must not do with the answer), :mod:`~tuner.dashboard.origins` (known host, own page),
:mod:`~tuner.dashboard.mounts`, and then either an application of ours or :mod:`~tuner.dashboard.routes` (the requests
that the Optuna dashboard may get). Further WSGI applications are given to the server by path::

    DashboardServer(location, port, mounts={"/live": application})
"""
