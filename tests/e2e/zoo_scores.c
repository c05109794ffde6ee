/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zoo_scores WEIGHTS PICTURES OUT: the network that a weight file fits, found by its tensors alone, on tensor "picture"
 * of PICTURES (safetensors); OUT gets its scores, or what comes last where it has no classes. Prints the network's
 * name.
 */
#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>

static int stop(void)
{
    fprintf(stderr, "%s\n", linnet_context_message(NULL));
    return 1;
}

/* Runs and writes; 0: all went well. */
static int evaluate(linnet_session *session, const linnet_model *model, const linnet_tensor *picture, const char *path)
{
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = picture->dims[0]};
    linnet_tensor scores = {.type = LINNET_F32};
    linnet_node_info last;
    linnet_net_node(model->net, linnet_net_node_count(model->net) - 1, &last);
    linnet_value output = model->logits.id ? model->logits : last.output;
    batch.feeds[0] = (linnet_feed){"image", *picture};
    scores.rank = linnet_value_shape(model->net, output, scores.dims);
    scores.dims[0] = picture->dims[0];
    size_t bytes = (size_t)linnet_tensor_bytes(&scores);
    scores.data = malloc(bytes);
    linnet_status status = scores.data ? linnet_forward(session, &batch) : LINNET_OUT_OF_MEMORY;
    if (status == LINNET_OK)
        status = linnet_session_read(session, output, scores.data, bytes);
    if (status == LINNET_OK)
        status = linnet_safetensors_write(NULL, path, &(linnet_named_tensor){"scores", scores}, 1, NULL, 0);
    free(scores.data);
    return status != LINNET_OK;
}

int main(int argc, char **argv)
{
    linnet_model model = {.net = NULL};
    linnet_tensor picture;
    linnet_safetensors *file = argc == 4 ? linnet_safetensors_read(NULL, argv[2]) : NULL;
    if (!file || linnet_safetensors_find(file, "picture", &picture) != LINNET_OK)
        return stop();
    linnet_model_options options = {.struct_size = sizeof options, .height = picture.dims[2], .width = picture.dims[3]};
    if (linnet_model_for_weights(NULL, argv[1], NULL, &options, &model) != LINNET_OK)
        return stop();
    linnet_session *session = linnet_session_new(model.net, NULL);
    int code = !session || linnet_load(session, argv[1]) != LINNET_OK || evaluate(session, &model, &picture, argv[3]);
    if (code)
        stop();
    else
        puts(linnet_net_name(model.net));
    linnet_session_free(&session);
    linnet_model_free(&model);
    linnet_safetensors_free(&file);
    return code;
}
