"""How much of the input is needed: for models that read from left to right."""

if plan.study.shortened:

    rule compression:
        input:
            unpack(inputs("compression")),
        output:
            **plan.patterns("compression"),
        params:
            spec=spec("compression"),
        message:
            "compression"
        script:
            "../scripts/compression.py"

    if plan.study.mode == "text":

        rule compress_text:
            input:
                unpack(inputs("compress_text")),
            output:
                **plan.patterns("compress_text"),
            params:
                spec=spec("compress_text"),
            priority: 1  # long: it must not begin last
            message:
                "compress_text {wildcards.model}"
            script:
                "../scripts/compress_text.py"

    else:

        rule compress:
            input:
                unpack(inputs("compress")),
            output:
                **plan.patterns("compress"),
            params:
                spec=spec("compress"),
            message:
                "compress {wildcards.model} {wildcards.seed}"
            script:
                "../scripts/compress.py"
