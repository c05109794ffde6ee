/* SPDX-License-Identifier: Apache-2.0 */
/* All of Linnet. Each header below reads as the manual of its part; backend.h is for those who write a backend. */
#ifndef LINNET_H
#define LINNET_H

#include "adversarial.h"
#include "attribution.h"
#include "colour.h"
#include "context.h"
#include "data.h"
#include "device.h"
#include "equivariance.h"
#include "features.h"
#include "filter.h"
#include "filter_tiles.h"
#include "image.h"
#include "invert.h"
#include "layers.h"
#include "minimize.h"
#include "net.h"
#include "netdef.h"
#include "objective.h"
#include "profile.h"
#include "receptive_field.h"
#include "safetensors.h"
#include "session.h"
#include "sheet.h"
#include "style.h"
#include "tensor.h"
#include "train.h"
#include "verify.h"
#include "zoo.h"

#endif
