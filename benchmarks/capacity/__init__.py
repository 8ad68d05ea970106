"""How many instances a day of papers needs, what it costs, and what breaks first: a discrete-event simulation.

    python -m benchmarks.capacity measure PAPERS    # measure what a paper costs on this machine, into costs.json
    python -m benchmarks.capacity plan              # simulate the scenarios of plan.toml, for docs/scale.md
    python -m benchmarks.capacity validate PAPERS   # compare two real services behind HAProxy with their simulation

The simulation uses the service's `Admission`, `Pace` and `rank`, and the client's `Retries`, with the settings of the
service and the figures of balancer and autoscaler in deploy/.
"""
