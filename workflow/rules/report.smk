"""Figures, findings, the report, and the exit code."""


rule figure:
    input:
        unpack(inputs("figure")),
    output:
        **plan.patterns("figure"),
    params:
        spec=spec("figure"),
    group:
        together("study")
    threads: plan.resources("figure").threads
    resources:
        **asked("figure"),
    message:
        "figure {wildcards.figure}"
    script:
        "../scripts/figure.py"


rule diagnose:
    input:
        unpack(inputs("diagnose")),
    output:
        **plan.patterns("diagnose"),
    params:
        spec=spec("diagnose"),
    group:
        together("study")
    threads: plan.resources("diagnose").threads
    resources:
        **asked("diagnose"),
    message:
        "diagnose"
    script:
        "../scripts/diagnose.py"


rule report:
    input:
        unpack(inputs("report")),
    output:
        **plan.patterns("report"),
    params:
        spec=spec("report"),
    group:
        together("study")
    threads: plan.resources("report").threads
    resources:
        **asked("report"),
    message:
        "report"
    script:
        "../scripts/report.py"


rule verify:
    input:
        unpack(inputs("verify")),
    output:
        **plan.patterns("verify"),
    params:
        spec=spec("verify"),
    localrule: True  # next to nothing to do, and not to be tried again
    retries: 0
    message:
        "verify"
    script:
        "../scripts/verify.py"
