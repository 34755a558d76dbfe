"""From runs to models, from models to the study."""


rule measure:
    input:
        unpack(inputs("measure")),
    output:
        **plan.patterns("measure"),
    params:
        spec=spec("measure"),
    group:
        together("run")
    threads: plan.resources("measure").threads
    resources:
        **asked("measure"),
    message:
        "measure {wildcards.model} {wildcards.seed}"
    script:
        "../scripts/measure.py"


rule aggregate:
    input:
        unpack(inputs("aggregate")),
    output:
        **plan.patterns("aggregate"),
    params:
        spec=spec("aggregate"),
    group:
        together("model")
    threads: plan.resources("aggregate").threads
    resources:
        **asked("aggregate"),
    message:
        "aggregate {wildcards.model}"
    script:
        "../scripts/aggregate.py"


rule compare:
    input:
        unpack(inputs("compare")),
    output:
        **plan.patterns("compare"),
    params:
        spec=spec("compare"),
    group:
        together("study")
    threads: plan.resources("compare").threads
    resources:
        **asked("compare"),
    message:
        "compare"
    script:
        "../scripts/compare.py"


if plan.study.trained:

    rule contrast:
        input:
            unpack(inputs("contrast")),
        output:
            **plan.patterns("contrast"),
        params:
            spec=spec("contrast"),
        group:
            together("study")
        threads: plan.resources("contrast").threads
        resources:
            **asked("contrast"),
        message:
            "contrast"
        script:
            "../scripts/contrast.py"

    rule effects:
        input:
            unpack(inputs("effects")),
        output:
            **plan.patterns("effects"),
        params:
            spec=spec("effects"),
        group:
            together("study")
        threads: plan.resources("effects").threads
        resources:
            **asked("effects"),
        message:
            "effects"
        script:
            "../scripts/effects.py"
