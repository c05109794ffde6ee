# SPDX-License-Identifier: Apache-2.0
"""The parts of Linnet's library that comparing results needs, by ctypes. Tensors are torch's, dense, on the host."""
import ctypes
import os
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_size_t, c_uint32
from ctypes import c_void_p

F32, I32, EVALUATE, TRAIN, MAX_RANK, MAX_FEEDS = 1, 6, 1, 2, 8, 32


class Value(Structure):
    _fields_ = [('id', c_uint32)]


class Tensor(Structure):
    _fields_ = [('type', c_int), ('rank', c_uint32), ('dims', c_int64 * MAX_RANK), ('data', c_void_p)]


class Feed(Structure):
    _fields_ = [('name', c_char_p), ('tensor', Tensor)]


class Batch(Structure):
    _fields_ = [('struct_size', c_uint32), ('feed_count', c_uint32), ('size', c_int64), ('feeds', Feed * MAX_FEEDS)]


class Preprocess(Structure):
    _fields_ = [('scale', c_float), ('bgr', c_int), ('mean', c_float * 4), ('deviation', c_float * 4)]


class Model(Structure):
    _fields_ = [('net', c_void_p), ('preprocess', Preprocess), ('image', Value), ('label', Value), ('logits', Value),
                ('loss', Value), ('learning_rate', c_float), ('complete', c_int32)]


class Source(Structure):
    _fields_ = [('struct_size', c_uint32), ('device', c_void_p), ('model', c_char_p), ('weights', c_char_p),
                ('average_pooling', c_int)]


class StyleOptions(Structure):
    _fields_ = [('struct_size', c_uint32), ('absolute', c_uint32), ('source', POINTER(Source)),
                ('content', POINTER(Tensor)), ('style', POINTER(Tensor)), ('height', c_int64), ('width', c_int64),
                ('content_layers', c_void_p), ('style_layers', c_void_p), ('content_count', c_size_t),
                ('style_count', c_size_t), ('content_weight', c_double), ('style_weight', c_double),
                ('tv_weight', c_double)]


class StepInfo(Structure):
    _fields_ = [('struct_size', c_uint32), ('backward', c_int32), ('node', c_char_p), ('layer', c_char_p),
                ('epilogue', c_char_p), ('implementation', c_char_p), ('multiply_adds', ctypes.c_uint64),
                ('bytes', ctypes.c_uint64)]


def load(build):
    library = ctypes.CDLL(os.path.join(build, 'lib', 'liblinnet.so.0'))
    for name in ('linnet_device_open', 'linnet_session_new', 'linnet_style_new_with'):
        getattr(library, name).restype = c_void_p
    library.linnet_context_message.restype = c_char_p
    library.linnet_device_label.restype = c_char_p
    return library


def size_of(tensor):
    return tensor.numel() * tensor.element_size()


class Device:
    def __init__(self, library, selection):
        self.library = library
        self.handle = c_void_p(library.linnet_device_open(None, selection.encode()))
        if not self.handle:
            raise RuntimeError(self.message())

    def message(self):
        return self.library.linnet_context_message(None).decode()

    def check(self, status):
        if status:
            raise RuntimeError(self.message() or 'status %d' % status)

    def label(self):
        return self.library.linnet_device_label(self.handle).decode()


class Session:
    """A network of the zoo, or a net in a line, on a device."""

    def __init__(self, device, net):
        self.device, self.library, self.model = device, device.library, Model()
        device.check(self.library.linnet_model_new(None, net.encode(), None, byref(self.model)))
        self.handle = c_void_p(self.library.linnet_session_new(c_void_p(self.model.net), device.handle))
        if not self.handle:
            raise RuntimeError(device.message())

    def call(self, name, *arguments):
        self.device.check(getattr(self.library, 'linnet_' + name)(self.handle, *arguments))

    def differentiate(self, behaviour, output=None):
        """output: what is differentiated instead of the loss, and the image's gradient is wanted, too."""
        self.library.linnet_session_set_behaviour(self.handle, behaviour)
        self.library.linnet_session_set_gradients(self.handle, 1)
        if output:
            self.call('session_want_gradient', self.model.image)
            self.call('session_add_loss', output)

    def layer(self, name):
        value = Value()
        self.device.check(self.library.linnet_net_layer(c_void_p(self.model.net), name.encode(), byref(value)))
        return value

    def parameter(self, name):
        found = self.library.linnet_net_parameter
        found.restype = Value
        return found(c_void_p(self.model.net), name.encode())

    def forward(self, image, label=None):
        batch = Batch(struct_size=ctypes.sizeof(Batch), size=image.shape[0])
        for name, tensor, kind in ((b'image', image, F32), (b'label', label, I32)):
            if tensor is not None:
                feed = batch.feeds[batch.feed_count]
                feed.name, feed.tensor = name, described(tensor, kind)
                batch.feed_count += 1
        self.call('forward', byref(batch))

    def backward(self, gradient=None, value=None):
        if gradient is None:
            self.call('backward', self.model.loss)
        else:
            self.call('backward_from', value, c_void_p(gradient.data_ptr()), c_size_t(size_of(gradient)))

    def read(self, value, out):
        self.call('session_read', value, c_void_p(out.data_ptr()), c_size_t(size_of(out)))
        return out

    def read_gradient(self, value, out):
        self.call('session_read_gradient', value, c_void_p(out.data_ptr()), c_size_t(size_of(out)))
        return out

    def get(self, name, out):
        self.call('session_get', name.encode(), c_void_p(out.data_ptr()), c_size_t(size_of(out)))
        return out

    def set(self, name, tensor):
        self.call('session_set', name.encode(), c_void_p(tensor.data_ptr()), c_size_t(size_of(tensor)))

    def variables(self):
        """Name -> shape: parameters and running statistics, in the net's order."""
        found, name, shape = {}, c_char_p(), Tensor()
        while not self.library.linnet_session_variable(self.handle, c_size_t(len(found)), byref(name), byref(shape)):
            found[name.value.decode()] = tuple(shape.dims[:shape.rank])
        return found

    def implementations(self):
        """Layers of the last plan that had a choice: "conv2d implicit", "conv2d backward winograd_f4"."""
        found, info, index = [], StepInfo(struct_size=ctypes.sizeof(StepInfo)), 0
        while not self.library.linnet_session_step(self.handle, c_size_t(index), byref(info)):
            if info.implementation:
                words = [info.layer.decode()] + ['backward'] * info.backward + [info.implementation.decode()]
                found.append(' '.join(words))
            index += 1
        return list(dict.fromkeys(found))

    def close(self):
        self.library.linnet_session_free(byref(self.handle))
        self.library.linnet_model_free(byref(self.model))


def described(tensor, kind=F32):
    out = Tensor(type=kind, rank=tensor.dim(), data=tensor.data_ptr())
    for i, size in enumerate(tensor.shape):
        out.dims[i] = size
    return out


def style_gradient(device, content, style, picture, out_gradient):
    """The loss of style transfer with VGG-19's first weights, and its gradient: [3,H,W] each."""
    source = Source(struct_size=ctypes.sizeof(Source), device=device.handle, model=b'vgg19')
    options = StyleOptions(struct_size=ctypes.sizeof(StyleOptions), source=ctypes.pointer(source),
                           content=ctypes.pointer(described(content)), style=ctypes.pointer(described(style)))
    objective, loss = c_void_p(device.library.linnet_style_new_with(None, byref(options))), c_double()
    if not objective:
        raise RuntimeError(device.message())
    status = device.library.linnet_objective_evaluate(objective, c_void_p(picture.data_ptr()),
                                                      c_void_p(out_gradient.data_ptr()), byref(loss))
    device.library.linnet_objective_free(byref(objective))
    device.check(status)
    return loss.value
