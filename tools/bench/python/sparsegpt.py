"""SparseGPT (Frantar & Alistarh 2023) as one would write it in PyTorch from its equations."""

import torch


def hessian(x, sequences):
    """H = 2/N · Σ xᵀ·x over N sequences of [tokens, columns]; here each is the same."""
    h = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype, device=x.device)
    for _ in range(sequences):
        h.addmm_(x.t(), x, alpha=2 / sequences)
    return h


def inverse_factor(h):
    """The upper u with uᵀ·u = h⁻¹."""
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(h))
    return torch.linalg.cholesky(inverse, upper=True)


def lowest(scores, sparsity):
    """A mask of exactly the given fraction with the lowest scores, ties aside."""
    flat = scores.flatten()
    count = int(flat.numel() * sparsity)
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    return scores <= flat.sort()[0][count - 1]


def solve(weights, h, sparsity, pattern=None, block=128, damping=0.01):
    """
    The pruned weights of a layer. `pattern` (n, m) keeps n of every m consecutive inputs; without it
    a fraction `sparsity` of each block of columns becomes zero.
    """
    w, h = weights.clone(), h.clone()
    columns = w.shape[1]
    dead = h.diag() == 0
    h[dead, dead] = 1
    w[:, dead] = 0
    h.diagonal().add_(damping * h.diag().mean())
    u = inverse_factor(h)
    for start in range(0, columns, block):
        end = min(start + block, columns)
        inside = w[:, start:end].clone()
        pruned, errors = torch.zeros_like(inside), torch.zeros_like(inside)
        corner = u[start:end, start:end]
        pivots = corner.diag()
        if pattern is None:
            mask = lowest((inside / pivots) ** 2, sparsity)
        else:
            mask = torch.zeros_like(inside, dtype=torch.bool)
        for i in range(end - start):
            if pattern is not None and i % pattern[1] == 0:
                kept, group = pattern
                scores = (inside[:, i : i + group] / pivots[i : i + group]) ** 2
                chosen = scores.topk(group - kept, dim=1, largest=False)[1]
                mask.scatter_(1, i + chosen, True)
            column = inside[:, i]
            quantised = column.masked_fill(mask[:, i], 0)
            error = (column - quantised) / pivots[i]
            pruned[:, i], errors[:, i] = quantised, error
            inside[:, i:] -= torch.outer(error, corner[i, i:])
        w[:, start:end] = pruned
        w[:, end:] -= errors @ u[start:end, end:]
    return w
