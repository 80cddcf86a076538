"""
tests/golden/mmrd_reference.py
    The network of mmrd once more, in PyTorch: an independent implementation.

Multi-modal reverse distillation (Gu et al., "Rethinking Reverse Distillation
for Multi-Modal Anomaly Detection", AAAI 2024) on the encoder-decoder of Deng
and Li, "Anomaly Detection via Reverse Distillation from One-Class Embedding",
CVPR 2022.  Written from the description of the network, never from the C
code, so that the two can be held against each other: make_network.py uses it
to write the golden files of this directory, tests/bench to time PyTorch at
the very same work, and a model file trained by either can be loaded by both.

A network is a Config (what distinguishes one network from another) and a
dict of named tensors; everything else is functions of the two.  Names and
shapes are those of the model file: tensor_shapes() is the whole list.

    config = Config(arch="resnet18", n_aux=1)
    network = Network.load("model.safetensors")
    maps, scores = network.score([rgb, aux])

Letters: B batch, C channels, H x W map size, S input size, i = 1..3 stage,
e = expansion of a block (Basic 1, Bottleneck 4).  Modality 0 is RGB, the
others are auxiliary ("aux", "aux2").  Images are (B, 3, S, S), normalised
(step 4 of the input's way: decode, resize, range, normalise).

Needs PyTorch 1.13 or later and numpy; nothing else.  One file however long,
so that it can be copied to where a model is trained.
"""

import dataclasses
import json
import math
import struct

import numpy
import torch
import torch.nn.functional as F

MODALITIES = ("rgb", "aux", "aux2")
STAGES = (1, 2, 3)
PLANES = {1: 64, 2: 128, 3: 256}        # of the teacher's and decoder's stage
BN_EPS = 1e-5
BN_MOMENTUM = 0.1
NORM_EPS = 1e-8                         # floor of a norm inside a cosine
MODULATION_EPS = 1e-4
BLUR_SIGMA = 4.0                        # pixels
BLUR_RADIUS = 16                        # pixels


@dataclasses.dataclass(frozen=True)
class Arch:
    bottleneck: bool
    teacher_blocks: tuple               # of layer1, layer2, layer3
    embedding_blocks: int
    decoder_blocks: tuple               # of D_3, D_2, D_1, in that order
    width: int = 1                      # inner width of a Bottleneck / planes

    @property
    def expansion(self):
        return 4 if self.bottleneck else 1


ARCHS = {
    "resnet18": Arch(False, (2, 2, 2), 2, (2, 2, 2)),
    "resnet34": Arch(False, (3, 4, 6), 3, (3, 4, 6)),
    "resnet50": Arch(True, (3, 4, 6), 3, (3, 4, 6)),
    "wide_resnet50_2": Arch(True, (3, 4, 6), 3, (3, 4, 6), width=2),
}


@dataclasses.dataclass(frozen=True)
class Config:
    arch: str = "resnet18"
    input_size: int = 256
    n_aux: int = 1
    prior_at: str = "next"              # next | same
    fusion: str = "modulated"           # | modulated_aux | add | none
    interaction: bool = True            # False: the plain sum of the priors
    prototypes: tuple = (50, 50, 50)    # all 0: no priors

    def __post_init__(self):
        assert self.arch in ARCHS, self.arch
        assert self.input_size % 32 == 0 and self.input_size >= 64
        assert self.n_aux in (0, 1, 2)
        assert self.prior_at in ("next", "same"), self.prior_at
        assert self.fusion in ("modulated", "modulated_aux", "add", "none")
        assert len(self.prototypes) == 3
        assert all(n > 0 for n in self.prototypes) or not any(self.prototypes)

    @property
    def modalities(self):
        return MODALITIES[:1 + self.n_aux]

    @property
    def aux_modalities(self):
        return self.modalities[1:]

    @property
    def has_priors(self):
        return self.prototypes[0] > 0

    def channels(self, stage):
        return PLANES[stage] * ARCHS[self.arch].expansion

    def to_json(self):
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text):
        """Options that are not the network's (epochs, seed, ...) are left."""
        names = {field.name for field in dataclasses.fields(cls)}
        options = {k: v for k, v in json.loads(text).items() if k in names}
        if "prototypes" in options:
            n = options["prototypes"]
            options["prototypes"] = ((n,) * 3 if isinstance(n, int)
                                     else tuple(n))
        if "interaction" in options:
            options["interaction"] = bool(options["interaction"])
        return cls(**options)


# ---------------------------------------------------------------------------
# Names and shapes

def _norm_shapes(shapes, name, channels, statistics=True):
    shapes[name + ".weight"] = (channels,)
    shapes[name + ".bias"] = (channels,)
    if statistics:
        shapes[name + ".running_mean"] = (channels,)
        shapes[name + ".running_var"] = (channels,)


def teacher_norms(config):
    """[(name of a batch norm of the teacher's trunk, its channels)]"""
    arch = ARCHS[config.arch]
    norms = [("bn1", 64)]
    for stage in STAGES:
        planes = PLANES[stage]
        out = planes * arch.expansion
        for b in range(arch.teacher_blocks[stage - 1]):
            block = f"layer{stage}.{b}"
            inner = planes * arch.width
            norms += [(f"{block}.bn1", inner), (f"{block}.bn2", inner)]
            if arch.bottleneck:
                norms += [(f"{block}.bn3", out)]
            if b == 0 and (stage > 1 or arch.bottleneck):
                norms += [(f"{block}.downsample.1", out)]
    return norms


def _teacher_shapes(config):
    arch = ARCHS[config.arch]
    shapes = {"teacher.conv1.weight": (64, 3, 7, 7)}
    cin = 64
    for stage in STAGES:
        inner = PLANES[stage] * arch.width
        out = config.channels(stage)
        for b in range(arch.teacher_blocks[stage - 1]):
            block = f"teacher.layer{stage}.{b}"
            if arch.bottleneck:
                shapes[block + ".conv1.weight"] = (inner, cin, 1, 1)
                shapes[block + ".conv2.weight"] = (inner, inner, 3, 3)
                shapes[block + ".conv3.weight"] = (out, inner, 1, 1)
            else:
                shapes[block + ".conv1.weight"] = (out, cin, 3, 3)
                shapes[block + ".conv2.weight"] = (out, out, 3, 3)
            if b == 0 and (stage > 1 or arch.bottleneck):
                shapes[block + ".downsample.0.weight"] = (out, cin, 1, 1)
            cin = out
    for name, channels in teacher_norms(config):
        _norm_shapes(shapes, "teacher." + name, channels, statistics=False)
    for modality in config.modalities:
        for name, channels in teacher_norms(config):
            at = f"teacher.{modality}.{name}"
            shapes[at + ".running_mean"] = (channels,)
            shapes[at + ".running_var"] = (channels,)
    return shapes


def _block_shapes(shapes, arch, name, cin, planes, kind):
    """kind: "plain", "down" (embedding's first), "up" (a decoder's first)."""
    inner = planes * arch.width
    out = planes * arch.expansion
    up = kind == "up"
    if arch.bottleneck:
        shapes[name + ".conv1.weight"] = (inner, cin, 1, 1)
        _norm_shapes(shapes, name + ".bn1", inner)
        shapes[name + ".conv2.weight"] = (inner, inner) + (
            (2, 2) if up else (3, 3))
        _norm_shapes(shapes, name + ".bn2", inner)
        shapes[name + ".conv3.weight"] = (out, inner, 1, 1)
        _norm_shapes(shapes, name + ".bn3", out)
    else:
        shapes[name + ".conv1.weight"] = (
            (cin, out, 2, 2) if up else (out, cin, 3, 3))
        _norm_shapes(shapes, name + ".bn1", out)
        shapes[name + ".conv2.weight"] = (out, out, 3, 3)
        _norm_shapes(shapes, name + ".bn2", out)
    if kind != "plain":
        shapes[name + ".skip.conv.weight"] = (
            (cin, out, 2, 2) if up else (out, cin, 1, 1))
        _norm_shapes(shapes, name + ".skip.bn", out)


def _student_shapes(config):
    arch = ARCHS[config.arch]
    e = arch.expansion
    shapes = {}
    for n, cin, cout in ((1, 64, 128), (2, 128, 256), (3, 128, 256)):
        shapes[f"ocbe.conv{n}.weight"] = (cout * e, cin * e, 3, 3)
        _norm_shapes(shapes, f"ocbe.bn{n}", cout * e)
    for b in range(arch.embedding_blocks):
        _block_shapes(shapes, arch, f"ocbe.blocks.{b}",
                      768 * e if b == 0 else 512 * e, 512,
                      "down" if b == 0 else "plain")

    cin = 512 * e
    for stage, blocks in zip((3, 2, 1), arch.decoder_blocks):
        c = config.channels(stage)
        if config.has_priors and config.prior_at == "next" and stage < 3:
            cin *= 2
        for b in range(blocks):
            _block_shapes(shapes, arch, f"decoder.{stage}.{b}",
                          cin if b == 0 else c, PLANES[stage],
                          "up" if b == 0 else "plain")
        if config.has_priors and config.prior_at == "same":
            shapes[f"decoder.{stage}.join.conv.weight"] = (c, 2 * c, 1, 1)
            _norm_shapes(shapes, f"decoder.{stage}.join.bn", c)
        cin = c

    if not config.has_priors:
        return shapes
    for stage in STAGES:
        c = config.channels(stage)
        for modality in config.modalities:
            shapes[f"prototypes.{modality}.{stage}"] = (
                config.prototypes[stage - 1], c)
        if config.interaction:
            at = f"interaction.{stage}"
            shapes[at + ".fc1.weight"] = (c // 16, c)
            shapes[at + ".fc1.bias"] = (c // 16,)
            shapes[at + ".fc2.weight"] = (c, c // 16)
            shapes[at + ".fc2.bias"] = (c,)
            for spatial in ("spatial", "spatial2")[:config.n_aux]:
                shapes[f"{at}.{spatial}.weight"] = (1, 1, 3, 3)
                shapes[f"{at}.{spatial}.bias"] = (1,)
    return shapes


def tensor_shapes(config):
    """{name: shape} of every tensor of a model of this configuration."""
    return {**_teacher_shapes(config), **_student_shapes(config)}


def learned_names(config):
    """Names of the tensors that training changes by gradient."""
    return [name for name in _student_shapes(config)
            if not name.endswith((".running_mean", ".running_var"))]


# ---------------------------------------------------------------------------
# Pieces

def cosine(a, b, dim):
    """Cosine along dim, each norm at least NORM_EPS."""
    norms = (a.norm(dim=dim).clamp_min(NORM_EPS) *
             b.norm(dim=dim).clamp_min(NORM_EPS))
    return (a * b).sum(dim) / norms


def modulation(x):
    """alpha(x), Eq. 2: how unusual a place is in its own map, in (0.5, 1)."""
    deviation = (x - x.mean((2, 3), keepdim=True)) ** 2
    variance = deviation.mean((2, 3), keepdim=True)
    return torch.sigmoid(deviation / (variance + MODULATION_EPS))


def prior(features, prototypes):
    """F-hat, Eqs. 4-5: the features as a soft mixture of prototypes.

    (B,C,H,W), (N,C) -> (B,C,H,W).  Two 1x1 convolutions around a softmax.
    """
    f = features / features.norm(dim=1, keepdim=True).clamp_min(NORM_EPS)
    p = prototypes / prototypes.norm(dim=1, keepdim=True).clamp_min(NORM_EPS)
    w = F.conv2d(f, p[:, :, None, None]).softmax(dim=1)
    return F.conv2d(w, prototypes.t()[:, :, None, None])


def blur_matrix(size, dtype=torch.float64):
    """(S,S): the Gaussian along one axis, border reflected at half samples.

    The blur is separable, so the blurred map is G M G^T.  The pixel beyond
    the border -1-k is k, the pixel S+k is S-1-k.
    """
    taps = torch.arange(-BLUR_RADIUS, BLUR_RADIUS + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (taps / BLUR_SIGMA) ** 2)
    weights /= weights.sum()
    matrix = torch.zeros(size, size, dtype=torch.float64)
    for i in range(size):
        for tap, weight in zip(range(-BLUR_RADIUS, BLUR_RADIUS + 1), weights):
            j = (i + tap) % (2 * size)
            matrix[i, j if j < size else 2 * size - 1 - j] += weight
    return matrix.to(dtype)


# ---------------------------------------------------------------------------
# The network

class Network:
    """config and tensors {name: tensor}; `training` switches the student's
    batch norms between batch and running statistics.  The tensors are used
    as they are given, not copied: training changes them in place."""

    def __init__(self, config, tensors):
        self.config = config
        self.arch = ARCHS[config.arch]
        self.tensors = {}
        # Kept, because a traced tensor's shape is no number.
        self._shapes = tensor_shapes(config)
        for name, shape in self._shapes.items():
            if name not in tensors:
                raise KeyError(f'tensor "{name}" is missing')
            if tuple(tensors[name].shape) != shape:
                raise ValueError(f'tensor "{name}": expected {shape}, '
                                 f"found {tuple(tensors[name].shape)}")
            self.tensors[name] = tensors[name]
        self.training = False
        self.dtype = self.tensors["teacher.conv1.weight"].dtype
        self._blur = blur_matrix(config.input_size, self.dtype)

    def to(self, dtype):
        return Network(self.config, {name: tensor.detach().to(dtype).clone()
                                     for name, tensor in self.tensors.items()})

    # --- teacher ---

    def teacher(self, image, modality, adapt=False):
        """(B,3,S,S) -> [F_1, F_2, F_3] with the statistics of `modality`.

        adapt: normalise by the batch and update the running statistics.
        """
        t = self.tensors

        def conv(x, name, stride=1):
            return self._conv(x, "teacher." + name, stride)

        def norm(x, name):
            return F.batch_norm(
                x, t[f"teacher.{modality}.{name}.running_mean"],
                t[f"teacher.{modality}.{name}.running_var"],
                t[f"teacher.{name}.weight"], t[f"teacher.{name}.bias"],
                adapt, BN_MOMENTUM, BN_EPS)

        def block(x, name, stride):
            if self.arch.bottleneck:
                y = F.relu(norm(conv(x, name + ".conv1"), name + ".bn1"))
                y = F.relu(norm(conv(y, name + ".conv2", stride),
                                name + ".bn2"))
                y = norm(conv(y, name + ".conv3"), name + ".bn3")
            else:
                y = F.relu(norm(conv(x, name + ".conv1", stride),
                                name + ".bn1"))
                y = norm(conv(y, name + ".conv2"), name + ".bn2")
            if f"teacher.{name}.downsample.0.weight" in t:
                x = norm(conv(x, name + ".downsample.0", stride),
                         name + ".downsample.1")
            return F.relu(x + y)

        x = F.relu(norm(conv(image, "conv1", 2), "bn1"))
        x = F.max_pool2d(x, 3, 2, 1)
        features = []
        for stage in STAGES:
            for b in range(self.arch.teacher_blocks[stage - 1]):
                x = block(x, f"layer{stage}.{b}",
                          2 if b == 0 and stage > 1 else 1)
            features.append(x)
        return features

    def features(self, images):
        """[image per modality] -> [per modality [F_1, F_2, F_3]]"""
        return [self.teacher(image, modality)
                for image, modality in zip(images, self.config.modalities)]

    def target(self, features):
        """F^T, Eqs. 2-3 -> [per stage (B,C,H,W)]"""
        fusion = self.config.fusion
        targets = []
        for rgb, *aux in zip(*features):
            if not aux or fusion == "none":
                targets.append(rgb)
                continue
            if fusion == "modulated":
                alpha = modulation(rgb + sum(aux))
                fused = sum(alpha * a for a in aux)
            elif fusion == "modulated_aux":
                fused = sum(modulation(a) * a for a in aux)
            else:
                fused = sum(aux)
            targets.append(rgb + fused)
        return targets

    # --- student ---

    def _conv(self, x, name, stride=1):
        """Square kernel, padded by half of it, no bias."""
        padding = self._shapes[name + ".weight"][-1] // 2
        return F.conv2d(x, self.tensors[name + ".weight"], None, stride,
                        padding)

    def _up(self, x, name):
        return F.conv_transpose2d(x, self.tensors[name + ".weight"], stride=2)

    def _norm(self, x, name):
        t = self.tensors
        return F.batch_norm(x, t[name + ".running_mean"],
                            t[name + ".running_var"], t[name + ".weight"],
                            t[name + ".bias"], self.training, BN_MOMENTUM,
                            BN_EPS)

    def _block(self, x, name, kind):
        """A residual block; kind "plain", "down" or "up" (see shapes)."""
        down = 2 if kind == "down" else 1
        if self.arch.bottleneck:
            y = F.relu(self._norm(self._conv(x, name + ".conv1"),
                                  name + ".bn1"))
            y = (self._up(y, name + ".conv2") if kind == "up" else
                 self._conv(y, name + ".conv2", down))
            y = F.relu(self._norm(y, name + ".bn2"))
            y = self._norm(self._conv(y, name + ".conv3"), name + ".bn3")
        else:
            y = (self._up(x, name + ".conv1") if kind == "up" else
                 self._conv(x, name + ".conv1", down))
            y = F.relu(self._norm(y, name + ".bn1"))
            y = self._norm(self._conv(y, name + ".conv2"), name + ".bn2")
        if kind != "plain":
            x = (self._up(x, name + ".skip.conv") if kind == "up" else
                 self._conv(x, name + ".skip.conv", 2))
            x = self._norm(x, name + ".skip.bn")
        return F.relu(x + y)

    def embedding(self, target):
        """[F_1^T, F_2^T, F_3^T] -> F_4^S, (B, 512e, S/32, S/32)"""
        def step(x, n):
            return F.relu(self._norm(self._conv(x, f"ocbe.conv{n}", 2),
                                     f"ocbe.bn{n}"))

        l1 = step(step(target[0], 1), 2)
        l2 = step(target[1], 3)
        x = torch.cat([l1, l2, target[2]], 1)
        for b in range(self.arch.embedding_blocks):
            x = self._block(x, f"ocbe.blocks.{b}", "plain" if b else "down")
        return x

    def priors(self, features, stages=STAGES):
        """F-hat: {stage: [per modality (B,C,H,W)]}; {} without prototypes."""
        if not self.config.has_priors:
            return {}
        return {stage: [prior(f[stage - 1],
                              self.tensors[f"prototypes.{modality}.{stage}"])
                        for f, modality in zip(features,
                                               self.config.modalities)]
                for stage in stages}

    def interaction(self, stage, priors):
        """F-bar, Eq. 7: the priors of all modalities of a stage as one map."""
        rgb, *aux = priors
        if not self.config.interaction:
            return rgb + sum(aux) if aux else rgb
        t = self.tensors
        at = f"interaction.{stage}"
        squeezed = F.relu(F.linear(rgb.mean((2, 3)), t[at + ".fc1.weight"],
                                   t[at + ".fc1.bias"]))
        channel = torch.sigmoid(F.linear(squeezed, t[at + ".fc2.weight"],
                                         t[at + ".fc2.bias"]))
        mixed = channel[:, :, None, None] * rgb + rgb
        if not aux:
            return mixed
        places = [torch.sigmoid(F.conv2d(
            a.amax(1, keepdim=True), t[f"{at}.{spatial}.weight"],
            t[f"{at}.{spatial}.bias"], padding=1))
            for a, spatial in zip(aux, ("spatial", "spatial2"))]
        return sum(places) / len(places) * mixed + rgb

    def student(self, target, priors):
        """F^T and the priors -> [F_1^S, F_2^S, F_3^S]"""
        join = self.config.prior_at if self.config.has_priors else None
        x = self.embedding(target)
        outputs = {}
        for stage, blocks in zip((3, 2, 1), self.arch.decoder_blocks):
            name = f"decoder.{stage}"
            if join == "next" and stage < 3:
                bar = self.interaction(stage + 1, priors[stage + 1])
                x = torch.cat([x, bar], 1)
            x = self._block(x, f"{name}.0", "up")
            if join == "same":
                bar = self.interaction(stage, priors[stage])
                x = self._conv(torch.cat([x, bar], 1), f"{name}.join.conv")
                x = F.relu(self._norm(x, f"{name}.join.bn"))
            for b in range(1, blocks):
                x = self._block(x, f"{name}.{b}", "plain")
            outputs[stage] = x
        return [outputs[stage] for stage in STAGES]

    # --- map and score ---

    def map_raw(self, target, student):
        """Eq. 10 before the blur: (B,S,S)"""
        size = (self.config.input_size,) * 2
        return sum(F.interpolate((1 - cosine(t, s, 1))[:, None], size,
                                 mode="bilinear", align_corners=True)[:, 0]
                   for t, s in zip(target, student))

    def blur(self, maps):
        """Gaussian, sigma 4 pixels: (B,S,S) -> (B,S,S)"""
        return self._blur @ maps @ self._blur.t()

    def map(self, images):
        """[image per modality] -> blurred anomaly map (B,S,S)"""
        features = self.features(images)
        target = self.target(features)
        # In 'next' the priors of stage 1 feed nothing.
        used = (2, 3) if self.config.prior_at == "next" else STAGES
        student = self.student(target, self.priors(features, used))
        return self.blur(self.map_raw(target, student))

    def score(self, images):
        """-> (map (B,S,S), anomaly score (B,))"""
        with torch.no_grad():
            maps = self.map(images)
            return maps, maps.amax((1, 2))

    # --- training ---

    def losses(self, features, weight=0.1):
        """Eqs. 1, 6, 9 -> (loss, distillation, prototype); weight: lambda."""
        target = self.target(features)
        priors = self.priors(features)
        student = self.student(target, priors)
        distillation = sum((1 - cosine(t.flatten(1), s.flatten(1), 1)).mean()
                           for t, s in zip(target, student))
        prototype = sum((f[stage - 1] - p).square().mean()
                        for stage, of_stage in priors.items()
                        for f, p in zip(features, of_stage))
        if not priors:
            prototype = torch.zeros((), dtype=self.dtype)
        return distillation + weight * prototype, distillation, prototype

    def learned(self):
        """{name: tensor} of what Adam updates, gradients switched on."""
        return {name: self.tensors[name].requires_grad_()
                for name in learned_names(self.config)}

    def adapt(self, images, order, epochs=5, batch=16, modalities=None):
        """Running statistics of the teacher per modality, before training.

        images: [per modality (n,3,S,S)]; order: indices, one for all passes.
        """
        with torch.no_grad():
            for image, modality in zip(images, self.config.modalities):
                if modalities is not None and modality not in modalities:
                    continue
                for _ in range(epochs):
                    for at in range(0, len(order), batch):
                        self.teacher(image[order[at:at + batch]], modality,
                                     adapt=True)

    def cache(self, images, keep=torch.float16, batch=16):
        """Teacher features of all scans, [per modality [F_1, F_2, F_3]]."""
        with torch.no_grad():
            parts = [self.features([i[at:at + batch] for i in images])
                     for at in range(0, len(images[0]), batch)]
            return [[torch.cat([p[m][s] for p in parts]).to(keep)
                     for s in range(3)] for m in range(len(images))]

    def draw_prototypes(self, cached, generator):
        """Prototypes start as distinct (scan, place) vectors of the cache."""
        if not self.config.has_priors:
            return
        for of_modality, modality in zip(cached, self.config.modalities):
            for stage, f in zip(STAGES, of_modality):
                n, c, h, w = f.shape
                p = self.tensors[f"prototypes.{modality}.{stage}"]
                drawn = torch.randperm(n * h * w, generator=generator)
                drawn = drawn[:len(p)]
                vectors = f.permute(0, 2, 3, 1).reshape(-1, c)[drawn]
                with torch.no_grad():
                    p.copy_(vectors)

    def fit(self, cached, epochs=400, batch=16, lr=0.001, weight=0.1, seed=0,
            report=None):
        """Train on cached features; the last epoch is the model."""
        optimizer = adam(self.learned().values(), lr)
        generator = torch.Generator().manual_seed(seed)
        self.training = True
        for epoch in range(epochs):
            order = torch.randperm(len(cached[0][0]), generator=generator)
            for at in range(0, len(order), batch):
                rows = order[at:at + batch]
                losses = train_step(self, optimizer, [
                    [f[rows].to(self.dtype) for f in of_modality]
                    for of_modality in cached], weight)
            if report is not None:
                report(epoch, losses)
        self.training = False

    # --- files ---

    def save(self, path):
        write_safetensors(path, self.tensors, {
            "format": "mmrd-model", "format_version": "1",
            "config": self.config.to_json()})

    @classmethod
    def load(cls, path, dtype=torch.float32):
        tensors, metadata = read_safetensors(path)
        if metadata.get("format") != "mmrd-model":
            raise ValueError(f"{path} is not a model file of mmrd")
        return cls(Config.from_json(metadata["config"]),
                   {name: t.to(dtype) for name, t in tensors.items()})


def adam(tensors, lr=0.001):
    return torch.optim.Adam(list(tensors), lr=lr, betas=(0.5, 0.999),
                            eps=1e-8)


def train_step(network, optimizer, features, weight=0.1):
    """One step; network.training decides about the batch norms."""
    optimizer.zero_grad(set_to_none=True)
    losses = network.losses(features, weight)
    losses[0].backward()
    optimizer.step()
    return [float(loss) for loss in losses]


# ---------------------------------------------------------------------------
# Where tensors come from

def initial_tensors(config, teacher, seed=0, dtype=torch.float32):
    """A model before training; prototypes are zero until they are drawn.

    teacher: {torchvision's name: tensor} of a pretrained ResNet; its running
    statistics start every modality's.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(shape, bound):
        return (torch.rand(shape, generator=generator, dtype=dtype) * 2
                - 1) * bound

    tensors = {}
    for name, shape in tensor_shapes(config).items():
        first, _, rest = name.partition(".")
        if first == "teacher":
            modality, _, bn = rest.partition(".")
            source = teacher[bn if modality in MODALITIES else rest]
            value = source.detach().to(dtype).clone()
        elif first == "prototypes":
            value = torch.zeros(shape, dtype=dtype)
        elif first == "interaction":
            # PyTorch's defaults: uniform by the inputs of one output.
            weight = shape if name.endswith(".weight") else tensor_shapes(
                config)[name[:-len("bias")] + "weight"]
            value = uniform(shape, 1 / math.sqrt(math.prod(weight[1:])))
        elif len(shape) == 4 and shape[-1] == 2:
            value = uniform(shape, 1 / math.sqrt(4 * shape[1]))
        elif len(shape) == 4:
            std = math.sqrt(2 / (shape[0] * shape[2] * shape[3]))
            value = std * torch.randn(shape, generator=generator, dtype=dtype)
        elif name.endswith((".weight", ".running_var")):
            value = torch.ones(shape, dtype=dtype)
        else:
            value = torch.zeros(shape, dtype=dtype)
        tensors[name] = value
    return tensors


def formula(name, shape, lo, hi):
    """Golden weights and inputs: SplitMix64 at fnv1a64(name) + flat index,
    so that no weight file is needed.  The values are rounded to float32."""
    mask = (1 << 64) - 1
    seed = 0xcbf29ce484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001b3) & mask
    with numpy.errstate(over="ignore"):
        z = numpy.arange(math.prod(shape), dtype=numpy.uint64)
        z += numpy.uint64(seed)
        z += numpy.uint64(0x9e3779b97f4a7c15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xbf58476d1ce4e5b9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94d049bb133111eb)
        z ^= z >> numpy.uint64(31)
    unit = (z >> numpy.uint64(11)).astype(numpy.float64) / 2.0 ** 53
    value = (lo + (hi - lo) * unit).astype(numpy.float32)
    return torch.from_numpy(value.reshape(shape))


def formula_tensors(config, dtype=torch.float64):
    """Every tensor of the model by the formula."""
    tensors = {}
    for name, shape in tensor_shapes(config).items():
        if name.endswith(".running_var"):
            lo, hi = 0.5, 1.5
        elif name.startswith("prototypes."):
            lo, hi = 0.0, 1.0
        elif len(shape) == 1 and name.endswith(".weight"):
            lo, hi = 0.5, 1.0
        elif len(shape) == 1:
            lo, hi = -0.1, 0.1
        else:
            hi = math.sqrt(3 / math.prod(shape[1:]))
            lo = -hi
        tensors[name] = formula(name, shape, lo, hi).to(dtype)
    return tensors


def formula_images(config, batch, dtype=torch.float64):
    """[per modality (B,3,S,S)], already normalised."""
    shape = (batch, 3, config.input_size, config.input_size)
    return [formula("input." + modality, shape, -2.0, 2.0).to(dtype)
            for modality in config.modalities]


# ---------------------------------------------------------------------------
# safetensors: 8 bytes length, little-endian; a JSON header of that length,
# {name: {dtype, shape, data_offsets: [begin, end)}}; the data.

_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16,
           "BF16": torch.bfloat16, "I64": torch.int64}
_DTYPE_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def read_safetensors(path):
    """-> ({name: tensor}, {metadata})"""
    with open(path, "rb") as file:
        data = bytearray(file.read())
    header_bytes, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + header_bytes])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        dtype = _DTYPES[entry["dtype"]]
        begin, end = (8 + header_bytes + at for at in entry["data_offsets"])
        count = math.prod(entry["shape"])
        size = torch.empty((), dtype=dtype).element_size()
        if end - begin != count * size or end > len(data):
            raise ValueError(f'{path}: tensor "{name}" does not fit its data')
        value = (torch.frombuffer(data, dtype=dtype, count=count, offset=begin)
                 if count else torch.empty(0, dtype=dtype))
        tensors[name] = value.reshape(entry["shape"]).clone()
    return tensors, metadata


def write_safetensors(path, tensors, metadata):
    header = {"__metadata__": metadata}
    at = 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _DTYPE_NAMES[tensor.dtype],
                        "shape": list(tensor.shape),
                        "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            # Through int16: numpy knows no bfloat16.
            value = tensor.detach().contiguous()
            if value.dtype == torch.bfloat16:
                value = value.view(torch.int16)
            file.write(value.numpy().tobytes())
