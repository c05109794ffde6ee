/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "model.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

static int describe(engine *e, int64_t batch, bool train)
{
    sample_batch sample;
    char *text = NULL;
    int code = sample_new(&e->model, e->device, batch, &sample);
    if (code != EXIT_GO_ON)
        return code;
    if (train) {
        linnet_session_set_behaviour(e->session, LINNET_TRAIN);
        linnet_session_set_gradients(e->session, 1);
    } else {
        sample.batch.feed_count = 1; /* without labels the loss is left out */
    }
    code = cli_check(linnet_session_describe(e->session, &sample.batch, cli_common_options.json, &text));
    if (code == EXIT_GO_ON) {
        size_t length = strlen(text);
        fputs(text, stdout);
        if (length && text[length - 1] != '\n')
            putchar('\n');
    }
    linnet_text_free(&text);
    sample_free(&sample);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

static int run(int argc, char **argv)
{
    int first, train = 0;
    int64_t batch = 64;
    cli_option options[] = {
        {.name = "train", .kind = CLI_FLAG, .target = &train, .help = "of a training step (default: of inference)"},
        option_batch(&batch, "images at once (default: 64)"),
    };
    int code = cli_parse(&cmd_plan, options, 2, argc, argv, &first);
    if (code == EXIT_GO_ON && argc - first != 1)
        code = cli_usage(&cmd_plan, first < argc ? "one network at a time" : "which network?");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    linnet_model model = {.net = NULL};
    if (code == EXIT_GO_ON)
        code = model_open_any(argv[first], &model);
    engine e = {.device = NULL};
    if (code == EXIT_GO_ON)
        code = engine_open(&e, &model);
    if (code == EXIT_GO_ON)
        code = describe(&e, batch, train);
    engine_close(&e);
    return code;
}

const cli_command cmd_plan = {"plan", "NET", "show how a network would run on a device, step by step",
                              "For each step: the implementation, its formats and bytes, and why others refused.", run};
