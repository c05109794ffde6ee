/* SPDX-License-Identifier: Apache-2.0 */
#include "style_layers.h"

#include <string.h>

typedef struct preset {
    const char *network;
    const char *style[8];   /* all that are there */
    const char *content[8]; /* the first that is there */
} preset;

/* vgg19: the paper's. */
static const preset presets[] = {
    {"vgg19", {"relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"}, {"relu4_2", "relu3_2", "relu2_2", "relu1_2"}},
    {"squeezenet1_1", {"relu1", "fire3", "fire4", "fire5"}, {"fire2"}},
    {"textures", {"scale1", "scale2", "scale3", "scale4", "scale5"}, {"scale2"}},
};

size_t linnet_style_default_layers(const linnet_net *net, bool style, linnet_weighted_layer out[LINNET_MAX_FEEDS])
{
    size_t count = 0;
    for (size_t p = 0; p < sizeof presets / sizeof presets[0]; p++) {
        const char *const *names = style ? presets[p].style : presets[p].content;
        if (strcmp(presets[p].network, linnet_net_name(net)) != 0)
            continue;
        for (size_t i = 0; names[i] && (style || !count); i++)
            if (linnet_net_find(net, names[i]).id)
                out[count++] = (linnet_weighted_layer){.name = names[i]};
    }
    return count;
}
