"""From runs to models, from models to the study."""


rule measure:
    input:
        unpack(inputs("measure")),
    output:
        **plan.patterns("measure"),
    params:
        spec=spec("measure"),
    script:
        "../scripts/measure.py"


rule aggregate:
    input:
        unpack(inputs("aggregate")),
    output:
        **plan.patterns("aggregate"),
    params:
        spec=spec("aggregate"),
    script:
        "../scripts/aggregate.py"


rule compare:
    input:
        unpack(inputs("compare")),
    output:
        **plan.patterns("compare"),
    params:
        spec=spec("compare"),
    script:
        "../scripts/compare.py"


if plan.trained:

    rule contrast:
        input:
            unpack(inputs("contrast")),
        output:
            **plan.patterns("contrast"),
        params:
            spec=spec("contrast"),
        script:
            "../scripts/contrast.py"
