"""Figures, findings, the report, and the exit code."""


rule figure:
    input:
        unpack(inputs("figure")),
    output:
        **plan.patterns("figure"),
    params:
        spec=spec("figure"),
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
    message:
        "verify"
    script:
        "../scripts/verify.py"
