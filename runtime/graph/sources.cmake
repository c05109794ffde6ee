# SPDX-License-Identifier: Apache-2.0
set(LINNET_GRAPH_SOURCES
  graph/autodiff.c graph/choices.c graph/choose.c graph/compile.c graph/describe.c graph/emit.c graph/fold.c graph/formats.c
  graph/forward.c graph/fuse.c graph/inspect.c graph/layout.c graph/lower.c graph/memory_message.c
  graph/memory_plan.c graph/memory_total.c graph/native.c graph/net.c graph/net_layers.c graph/notes.c graph/packed.c graph/place.c graph/places.c graph/profile.c
  graph/rebuild.c graph/rehearse.c graph/rivals.c graph/run.c graph/session.c graph/session_io.c graph/slices.c graph/step_info.c graph/tune.c graph/variables.c)
