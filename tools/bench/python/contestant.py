"""PyTorch as a contestant: answers the requests of ../protocol.ts on standard input, one JSON object a line."""

import argparse
import json
import math
import resource
import struct
import sys
import time
from functools import reduce

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    sys.stdin.readline()
    print(json.dumps({"say": "absent", "why": f"PyTorch cannot be imported: {error}"}), flush=True)
    sys.exit(0)

sys.dont_write_bytecode = True
import sparsegpt  # noqa: E402  it needs PyTorch

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--device", default="cpu")
options = parser.parse_args()
device = torch.device(options.device)
torch.set_num_threads(options.threads)

MASK = 0xFFFFFFFF


def multiply32(x, factor):
    """x · factor mod 2³² in int64 without overflow of the sign."""
    return (x * (factor & 0xFFFF) + (((x * (factor >> 16)) & 0xFFFF) << 16)) & MASK


def hashes(count, seed):
    """The hash of inputs.ts: `mix(start(seed) + i)`."""
    x = (torch.arange(count, dtype=torch.int64) + (seed * 0x9E3779B1)) & MASK
    x = multiply32(x ^ (x >> 16), 0x7FEB352D)
    x = multiply32(x ^ (x >> 15), 0x846CA68B)
    return x ^ (x >> 16)


def uniform(formula):
    shape = formula["shape"]
    values = (hashes(math.prod(shape), formula["seed"]) >> 8).double() / 2**23 - 1
    values = values * formula.get("scale", 1) + formula.get("offset", 0)
    return values.float().reshape(shape).to(device)


def integers(count, seed, limit):
    return hashes(count, seed) % limit


def fingerprint(values):
    flat = values.detach().reshape(-1).cpu().double()
    length = flat.numel()
    if length <= 512:
        positions = list(range(length))
    else:
        positions = [i * (length - 1) // 508 for i in range(509)]
    return {
        "length": length,
        "sum": flat.sum().item(),
        "absolute": flat.abs().sum().item(),
        "samples": flat[positions].tolist(),
    }


class Subject:
    """A function that is run again and again; `values` is what is checked."""

    def __init__(self, once, values=None):
        self.once = once
        self.values = values or once


def forward_subject(function):
    """A function of the given inputs without gradients."""

    def make(given):
        inputs = [uniform(formula) for formula in given["inputs"]]
        return Subject(lambda: function(given, *inputs))

    return make


def attend(q, k, v):
    """Causal attention of [batch, heads, length, width], fused where PyTorch has it."""
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    length = q.shape[-2]
    hidden = torch.ones(length, length, dtype=torch.bool, device=q.device).triu(1)
    scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(q.shape[-1]))
    return torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1) @ v


def rotary(length, width, theta):
    angles = torch.outer(
        torch.arange(length, dtype=torch.float64),
        theta ** (-torch.arange(0, width, 2, dtype=torch.float64) / width),
    )
    return angles.cos().float().to(device), angles.sin().float().to(device)


def rotate(x, cosine, sine):
    """Interleaved pairs of [..., length, heads, width]."""
    even, odd = x.float().reshape(*x.shape[:-1], -1, 2).unbind(-1)
    cosine, sine = cosine[:, None, :], sine[:, None, :]
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), -1).flatten(-2)


def rms_norm(x, gain, epsilon):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * gain


def decoder_block(config, p, index, x, cosine, sine):
    heads, width = config["heads"], config["dimension"] // config["heads"]
    epsilon = config["normEpsilon"]
    batch, length, _ = x.shape

    def own(name):
        return p[f"blocks.{index}.{name}"]

    h = rms_norm(x, own("attentionNorm"), epsilon)
    q, k, v = (
        F.linear(h, own(name)).view(batch, length, heads, width)
        for name in ("query", "key", "value")
    )
    q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
    attended = attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
    x = x + F.linear(attended.transpose(1, 2).reshape(batch, length, -1), own("output"))
    h = rms_norm(x, own("feedForwardNorm"), epsilon)
    return x + F.linear(F.silu(F.linear(h, own("gate"))) * F.linear(h, own("up")), own("down"))


def make_parameters(formulas):
    return {name: uniform(formula).requires_grad_() for name, formula in formulas.items()}


def stepper(step, checked):
    def values():
        return torch.tensor([step() for _ in range(checked)], dtype=torch.float64)

    return Subject(step, values)


def lm_train(given):
    config = given["config"]
    parameters = make_parameters(given["parameters"])
    count = given["batch"] * given["window"]
    tokens = integers(count, given["tokenSeed"], config["vocabularySize"]).to(device)
    tokens = tokens.reshape(given["batch"], given["window"])
    width = config["dimension"] // config["heads"]
    cosine, sine = rotary(given["window"], width, config["ropeTheta"])
    how = given["optimizer"]
    matrices = [p for p in parameters.values() if p.dim() > 1]
    gains = [p for p in parameters.values() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": how["weightDecay"]},
            {"params": gains, "weight_decay": 0},
        ],
        lr=how["rate"],
        betas=tuple(how["decays"]),
        eps=how["epsilon"],
    )

    def step():
        x = F.embedding(tokens, parameters["embedding"])
        for index in range(config["layers"]):
            x = decoder_block(config, parameters, index, x, cosine, sine)
        x = rms_norm(x, parameters["norm"], config["normEpsilon"])
        logits = F.linear(x[:, :-1], parameters["head"])
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 1:].reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return stepper(step, given["checkedSteps"])


def lm_attention_long(given):
    config = given["config"]
    parameters = make_parameters(given["parameters"])
    hidden = uniform(given["hidden"]).requires_grad_()
    leaves = [hidden, *parameters.values()]
    width = config["dimension"] // config["heads"]
    cosine, sine = rotary(hidden.shape[1], width, config["ropeTheta"])

    def once():
        loss = decoder_block(config, parameters, 0, hidden, cosine, sine).square().mean()
        return loss.item(), torch.autograd.grad(loss, leaves)

    def values():
        loss, gradients = once()
        return torch.tensor([loss, *(g.double().norm().item() for g in gradients)])

    return Subject(once, values)


def mlp_adam(given):
    w = {name: uniform(formula).requires_grad_() for name, formula in given["weights"].items()}
    x, y = uniform(given["x"]), uniform(given["y"])
    how = given["optimizer"]
    optimizer = torch.optim.Adam(
        w.values(), lr=how["rate"], betas=tuple(how["decays"]), eps=how["epsilon"]
    )

    def step():
        hidden = torch.relu(torch.addmm(w["b1"], x, w["w1"]))
        loss = F.mse_loss(torch.addmm(w["b2"], hidden, w["w2"]), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return stepper(step, given["checkedSteps"])


def layer_norm(given, x, gain, bias):
    return F.layer_norm(x, gain.shape, gain, bias, given["epsilon"])


def elementwise_chain(given, x):
    return ((x * 1.5 + 0.25).abs().sqrt() - 0.5).mul(x).clamp(-0.25, 0.75)


def read_llama2c(path):
    """A llama2.c checkpoint of version 0 with tied embeddings."""
    with open(path, "rb") as file:
        data = file.read()
    names = ("dimension", "hidden", "layers", "heads", "kvHeads", "vocabulary", "context")
    config = dict(zip(names, struct.unpack("7i", data[:28])))
    values = torch.frombuffer(bytearray(data[28:]), dtype=torch.float32)
    d, h, layers = config["dimension"], config["hidden"], config["layers"]
    kv = d // config["heads"] * config["kvHeads"]
    at, tensors = 0, {}
    for name, shape in (
        ("embedding", (config["vocabulary"], d)),
        ("attentionNorm", (layers, d)),
        ("query", (layers, d, d)),
        ("key", (layers, kv, d)),
        ("value", (layers, kv, d)),
        ("output", (layers, d, d)),
        ("feedForwardNorm", (layers, d)),
        ("gate", (layers, h, d)),
        ("down", (layers, d, h)),
        ("up", (layers, h, d)),
        ("norm", (d,)),
    ):
        size = math.prod(shape)
        tensors[name] = values[at : at + size].reshape(shape).to(device)
        at += size
    return config, tensors


def decode(given):
    config, w = read_llama2c(given["file"])
    heads, kv_heads = config["heads"], config["kvHeads"]
    width = config["dimension"] // heads
    repeats, epsilon = heads // kv_heads, 1e-5
    cosine, sine = rotary(config["context"], width, 10000.0)
    shape = (config["layers"], kv_heads, config["context"], width)
    keys, values = torch.zeros(shape, device=device), torch.zeros(shape, device=device)

    def step(token, position):
        x = w["embedding"][token : token + 1]
        here, upto = slice(position, position + 1), position + 1
        for layer in range(config["layers"]):
            h = rms_norm(x, w["attentionNorm"][layer], epsilon)
            q = F.linear(h, w["query"][layer]).view(1, heads, width)
            k = F.linear(h, w["key"][layer]).view(1, kv_heads, width)
            q, k = rotate(q, cosine[here], sine[here]), rotate(k, cosine[here], sine[here])
            keys[layer, :, position] = k[0]
            values[layer, :, position] = F.linear(h, w["value"][layer]).view(kv_heads, width)
            q = q.view(kv_heads, repeats, width)
            scores = (q @ keys[layer, :, :upto].transpose(-2, -1)) * (1 / math.sqrt(width))
            attended = torch.softmax(scores, dim=-1) @ values[layer, :, :upto]
            x = x + F.linear(attended.reshape(1, -1), w["output"][layer])
            h = rms_norm(x, w["feedForwardNorm"][layer], epsilon)
            inner = F.silu(F.linear(h, w["gate"][layer])) * F.linear(h, w["up"][layer])
            x = x + F.linear(inner, w["down"][layer])
        return F.linear(rms_norm(x, w["norm"], epsilon), w["embedding"])

    def once():
        token, out = given["begin"], []
        for position in range(given["tokens"]):
            token = int(step(token, position).argmax())
            out.append(token)
        return torch.tensor(out)

    return Subject(once)


def sparsegpt_hessian(given):
    x, probe = uniform(given["x"]), uniform(given["probe"]).double()
    sequences = given["sequences"]

    def once():
        return sparsegpt.hessian(x, sequences)

    # Without its factor 2/N, times a vector.
    return Subject(once, lambda: (once().double() @ probe) * (sequences / 2))


def check_pruned(pruned, dense, x, outputs=128, parts=4):
    """What ../layer_checks.ts computes."""
    rows = slice(None, None, max(1, len(dense) // outputs))
    change = (pruned - dense)[rows].double()
    moved, whole = (
        (w @ x.double().t()).square().sum(1).reshape(parts, -1).sum(1)
        for w in (change, dense[rows].double())
    )
    zeros = (pruned == 0).double().mean(0).reshape(parts, -1).mean(1)
    return torch.cat([moved / whole, zeros])


def sparsegpt_solve(given):
    weights, x = uniform(given["weights"]), uniform(given["x"])
    h = sparsegpt.hessian(x, 1)

    def once():
        return sparsegpt.solve(weights, h, given.get("sparsity", 0), given.get("pattern"))

    return Subject(once, lambda: check_pruned(once(), weights, x))


def two_of_four(given):
    """The dense product with the two largest of every four consecutive weights."""
    x, weights = uniform(given["x"]), uniform(given["weights"])
    groups = weights.view(-1, 4)
    groups.scatter_(1, groups.abs().topk(2, dim=1, largest=False)[1], 0)
    return Subject(lambda: F.linear(x, weights))


CASES = {
    "matmul": forward_subject(lambda given, a, b: a @ b),
    "softmax": forward_subject(lambda given, x: torch.softmax(x, -1)),
    "layer-norm": forward_subject(layer_norm),
    "gelu": forward_subject(lambda given, x: F.gelu(x)),
    "exp": forward_subject(lambda given, x: x.exp()),
    "elementwise-chain": forward_subject(elementwise_chain),
    "mlp-adam": mlp_adam,
    "lm-train": lm_train,
    "lm-attention-long": lm_attention_long,
    "decode": decode,
    "sparsegpt-hessian": sparsegpt_hessian,
    "sparsegpt-solve": sparsegpt_solve,
    "two-of-four": two_of_four,
    "host-dispatch": forward_subject(lambda given, *inputs: reduce(torch.add, inputs)),
}
GRADIENTS = {"mlp-adam", "lm-train", "lm-attention-long"}


def synchronize():
    if device.type == "cuda":
        torch.cuda.synchronize()


def versions():
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return f"PyTorch {torch.__version__}, {where}, {torch.get_num_threads()} threads"


def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


subject = None


def answer(request):
    global subject
    if request["say"] == "memory":
        return {"say": "memory", "peakBytes": peak_bytes()}
    if request["say"] == "prepare":
        given = request["given"]
        if device.type == "cuda" and not torch.cuda.is_available():
            return {"say": "absent", "why": "PyTorch finds no CUDA device"}
        if given["kind"] not in CASES:
            return {"say": "absent", "why": f"contestant.py has no case {given['kind']}"}
        torch.set_grad_enabled(given["kind"] in GRADIENTS)
        subject = CASES[given["kind"]](given)
        reply = {"say": "prepared", "versions": versions()}
        if request["check"]:
            reply["result"] = fingerprint(subject.values())
        return reply
    iterations = request["iterations"]
    synchronize()
    start = time.perf_counter_ns()
    for _ in range(iterations):
        subject.once()
    synchronize()
    nanoseconds = (time.perf_counter_ns() - start) / iterations
    # OpenMP's and OpenBLAS's threads spin for a while before they sleep.
    time.sleep(0.06)
    return {"say": "timed", "nanoseconds": nanoseconds}


for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # noqa: BLE001  whatever it is, the bench has to hear of it
        reply = {"say": "failed", "why": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), flush=True)
