/* SPDX-License-Identifier: Apache-2.0 */
#include "style_layers.h"

#include <string.h>

typedef struct preset {
    const char *network;
    const char *style[8];   /* all that are there */
    const char *content[8]; /* the first that is there */
    double style_weight;
} preset;

/* vgg19: the paper's. */
static const preset presets[] = {
    {"vgg19",
     {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"},
     {"relu4_2", "relu3_2", "relu2_2", "relu1_2"},
     1000},
    {"squeezenet1_1", {"relu1", "fire3", "fire4", "fire5"}, {"fire2"}, 1000},
    {"textures", {"scale1", "scale2", "scale3", "scale4", "scale5"}, {"scale2"}, 300},
};

static const preset *find(const linnet_net *net)
{
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++)
        if (strcmp(presets[i].network, linnet_net_name(net)) == 0)
            return &presets[i];
    return NULL;
}

size_t linnet_style_default_layers(const linnet_net *net, bool style, linnet_weighted_layer out[LINNET_MAX_FEEDS])
{
    const preset *p = find(net);
    const char *const *names = !p ? NULL : style ? p->style : p->content;
    size_t count = 0;
    for (size_t i = 0; names && names[i] && (style || !count); i++)
        if (linnet_net_find(net, names[i]).id)
            out[count++] = (linnet_weighted_layer){.name = names[i]};
    return count;
}

double linnet_style_default_weight(const linnet_net *net)
{
    const preset *p = find(net);
    return p ? p->style_weight : 1000;
}
