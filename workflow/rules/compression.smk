"""How much of the input is needed: for models that read from left to right."""

if plan.study.shortened:

    rule compression:
        input:
            unpack(inputs("compression")),
        output:
            **plan.patterns("compression"),
        params:
            spec=spec("compression"),
        group:
            together("study")
        threads: plan.resources("compression").threads
        resources:
            **asked("compression"),
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
            group:
                together("run")
            threads: plan.resources("compress_text").threads
            resources:
                **asked("compress_text"),
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
            group:
                together("run")
            threads: plan.resources("compress").threads
            resources:
                **asked("compress"),
            message:
                "compress {wildcards.model} {wildcards.seed}"
            script:
                "../scripts/compress.py"
