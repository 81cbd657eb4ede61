# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Symplectic algebra and flows
#
# HALO moves a clip through its latent space with a matrix exponential. Everything the paper claims about that motion,
# that it can be run backwards, that it keeps volume, that it conserves something, follows from one property of one
# matrix. This chapter goes from the definition of a group to that property, runs every statement, and ends with the
# question on which long clips depend: **does an eigenvalue have a real part?**

# %% tags=["hide-input"]
import math

import matplotlib.pyplot as plt
import pandas as pd
import torch

from hamrepro import lie_groups as lie
from hamrepro import symplectic as sy
from hamrepro.conservation import energy_drift, reversal_error, symplectic_defect
from hamrepro.batches import normalise
from hamrepro.datasets import load
from hamrepro.dynamics import FAMILIES, HamiltonianOperators, PhaseSpace, embed
from hamrepro.figures import chosen
from hamrepro.shipping import load_shipped

plt.style.use("hamrepro.book")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## Groups, and what they do
#
# (def-2)=
# **Definition 2** (group). A set $G$ with an operation that is closed and associative, has an identity $e$, and gives
# every $x$ an inverse.
#
# The paper's discrete example is $D_2 = \{e, r, f, rf\}$: a half turn $r$ and a reflection $f$ along the $x$ axis. As
# matrices, its whole multiplication table is four lines. Each row and each column holds every element once, which is
# closure and inverses at a glance.

# %%
e, r, f = torch.eye(2), -torch.eye(2), torch.diag(torch.tensor([1.0, -1.0]))
names, elements = ("e", "r", "f", "rf"), torch.stack([e, r, f, r @ f])
table = lie.multiplication_table(elements)
pd.DataFrame([[names[i] for i in row] for row in table.tolist()], names, names)

# %% [markdown]
# (def-3)=
# **Definition 3** (Lie group). A group that is also a smooth manifold, with smooth product and inverse.
#
# (def-4)=
# **Definition 4** (Lie algebra). The tangent space at the identity, with the exponential map
# $\exp\colon \mathfrak g \to G$ back to the group. Its product is the bracket $[A, B] = AB - BA$.
#
# (def-8)=
# **Definition 8** (group action). A map with $e \circ x = x$ and $(g_1 g_2) \circ x = g_1 \circ (g_2 \circ x)$.
#
# The rotations $\mathrm{SO}(2)$ show all three. The algebra is one line, the multiples of
# $J = \left(\begin{smallmatrix} 0 & 1 \\ -1 & 0 \end{smallmatrix}\right)$; the exponential wraps that line round the
# circle; and the group acts on the plane by carrying each point along its own circle. That last picture is already
# HALO's latent motion with $d = 1$: $q$ to the right, $p$ upwards, one oscillation per turn.

# %% mystnb={"image": {"alt": "Orbits of the rotation group, and position and momentum against time"}} tags=["nbval-ignore-output"]
exp, theta = torch.linalg.matrix_exp, torch.linspace(0, 2 * math.pi, 200)
turn = torch.linalg.matrix_exp(theta[:, None, None] * sy.symplectic_form(1))
fig, (plane, time) = plt.subplots(1, 2, width_ratios=[1, 2.1])
for radius in (0.4, 0.8, 1.2):
    q, p = (turn @ torch.tensor([radius, 0.0])).T
    plane.plot(q, p)
    time.plot(theta, q, label=f"q, energy {radius**2 / 2:.2f}")
plane.set(aspect="equal", xlabel="q", ylabel="p", title="orbits of SO(2)")
time.set(xlabel="t, radians", ylabel="q(t)", title="what a decoder would see")
time.legend(loc="upper center");

# %% [markdown]
# The definitions once more, most of them also asked of something that lacks the property:

# %%
turns, J = lie.rotation(torch.arange(6) * 2 * math.pi / 6), sy.symplectic_form(1)
points, A, B = torch.randn(5, 2), *sy.sp_element(torch.randn(2, 4, 4))


def move(g, x):
    return x @ g.mT


checks = {
    "Definition 2: six turns by 60° are a group": lie.is_group(turns),
    "five of the six turns are a group": lie.is_group(turns[:5]),
    "Definition 3: turning by a, then b, is turning by a + b": torch.allclose(turns[1] @ turns[2], turns[3]),
    "Definition 4: J is tangent to the flow at the identity": lie.is_tangent(lambda h: exp(h * J), J),
    "J² is": lie.is_tangent(lambda h: exp(h * J), J @ J),
    "the bracket of two Hamiltonian matrices is one": sy.is_hamiltonian(lie.bracket(A, B)),
    "their product is": sy.is_hamiltonian(A @ B),
    "Definition 8: turning the plane is an action": lie.is_action(move, turns, points),
    "turning it and shifting it is": lie.is_action(lambda g, x: move(g, x) + 1, turns, points),
}
pd.DataFrame({"holds": checks})

# %% [markdown]
# ## The energy and its flow
#
# The state is $\mathbf s = (\mathbf q, \mathbf p) \in \R^{2d}$, and the energy is quadratic:
#
# (eq-7)=
# $$
# E = \tfrac12\, \mathbf s^\top \mathbf M\, \mathbf s, \qquad \mathbf M = \mathbf M^\top . \tag{7}
# $$
#
# Hamilton's equations $\dot{\mathbf q} = \partial E/\partial \mathbf p$, $\dot{\mathbf p} = -\partial E/\partial \mathbf q$ are
# then linear, and for constant $\mathbf M$ they are solved by an exponential:
#
# $$
# \dot{\mathbf s} = \mathbf J \mathbf M \mathbf s = \mathbf H \mathbf s, \qquad
# \mathbf s(t) = e^{t\mathbf H} \mathbf s(0), \qquad
# \mathbf J = \begin{pmatrix} 0 & \mathbf I_d \\ -\mathbf I_d & 0 \end{pmatrix}.
# $$
#
# Two sets of matrices appear here, and the paper gives them one name.
#
# (def-5)=
# **Definition 5** (the *group* $\Sp(2d)$). $\Phi^\top \mathbf J\, \Phi = \mathbf J$: it keeps the symplectic form. The flow
# $e^{t\mathbf H}$ lives here.
#
# (def-6)=
# **Definition 6** (the *algebra* $\sp(2d)$). $(\mathbf J \mathbf H)^\top = \mathbf J \mathbf H$: it is $\mathbf J$ times a
# symmetric matrix. The learned operator $\mathbf H$ lives here.
#
# (def-1)=
# ```{admonition} Definition 1 has the wrong condition
# :class: warning
# The paper calls $\mathbf H$ a Hamiltonian matrix if $\mathbf H^\top \mathbf J \mathbf H = \mathbf J$. That is the condition
# of the group. A Hamiltonian matrix satisfies the condition of the algebra. The table below takes one energy, and asks both
# questions of both matrices.
# ```

# %%
torch.manual_seed(0)
H = sy.sp_element(torch.randn(12, 12) / 4)
matrices = {"H": H, "exp(H)": exp(H), "exp(-3 H)": exp(-3 * H)}
pd.DataFrame({
    name: {
        "algebra: (JH)ᵀ = JH (Definition 6)": sy.is_hamiltonian(matrix),
        "group: ΦᵀJΦ = J (Definitions 1, 5)": sy.is_symplectic(matrix),
        "determinant 1 (volume kept)": abs(float(matrix.det()) - 1) < 1e-9,
        "trace 0 (the term of Eq. 23 drops out)": abs(float(matrix.trace())) < 1e-9,
    } for name, matrix in matrices.items()
})

# %% [markdown]
# ## How much freedom: H and skew-H
#
# (def-7)=
# **Definition 7** (symplectic orthogonal group). Restrict $\Sp(2d)$ to orthogonal matrices. On the algebra this asks that
# $\mathbf H$ be Hamiltonian *and* skew-symmetric, which leaves
#
# $$
# \mathbf H = \begin{pmatrix} \mathbf S & \mathbf A \\ -\mathbf A & \mathbf S \end{pmatrix}, \qquad
# \mathbf S^\top = -\mathbf S,\quad \mathbf A^\top = \mathbf A .
# $$
#
# Read as the complex matrix $\mathbf S + i\mathbf A$, this is skew-Hermitian: the algebra is $\mathfrak u(d)$, of dimension
# $d^2$. The paper counts $(d^2-d)/2$, which is the dimension of $\mathfrak{so}(d)$, that is $\mathbf A = 0$; the authors'
# released code sets $\mathbf S = 0$ instead, $d(d+1)/2$ numbers, a set that for $d > 1$ is not closed under the bracket
# ([D1](#d1)). The dimensions below are ranks, computed by pushing a basis of all matrices through the library's
# parametrisations.

# %%
def rank(elements):
    return int(torch.linalg.matrix_rank(elements.flatten(1)))


def dimensions(d):
    full, half = torch.eye(4 * d * d).view(-1, 2 * d, 2 * d), torch.eye(d * d).view(-1, d, d)
    skew, symmetric = sy.u_element(half, 0 * half), sy.u_element(0 * half, half)
    spans = {"sp(2d) = 2d² + d": sy.sp_element(full), "u(d) = d²": torch.cat([skew, symmetric]),
             "S alone: so(d) = (d² - d)/2": skew, "A alone: d(d + 1)/2": symmetric}  # fmt: skip
    return {name: rank(span) for name, span in spans.items()}


pd.DataFrame({d: dimensions(d) for d in (1, 2, 3, 6, 12)}).rename_axis(columns="d")

# %% [markdown]
# ## The flow of a clip
#
# The states of a clip are the orbit of one state under a one-parameter group:
#
# (eq-8)=
# $$
# \mathbf s_t^k = f(\mathbf s_{t-1}^k; \omega_k, t) = e^{t\mathbf H_k}\, \mathbf s_1^k, \qquad \forall t > 1, \tag{8}
# $$
#
# (eq-9)=
# $$
# \mathbf s_t^{k'} = \mathbf 0, \qquad \forall t,\ k' \neq k . \tag{9}
# $$
#
# Read to the letter, the exponent is off by one frame (frame 2 would be two steps from frame 1) and the recursion
# in the middle would multiply $e^{2\mathbf H} e^{3\mathbf H} \cdots$. We use the flow both forms mean,
# $\mathbf s_{t'} = e^{(t'-t)\mathbf H_k}\,\mathbf s_t$, for every pair of frames ([D5](#d5)). `flow_powers` returns
# all of a clip's $2T-1$ offsets from **one** matrix exponential: positive offsets by products, negative ones by the closed
# form $\Phi^{-1} = -\mathbf J\, \Phi^\top \mathbf J$, which needs no solver and moves only blocks and signs.

# %%
H = HamiltonianOperators(3, 6, "sp").double().generators().detach()
T = 16
flow = sy.flow_powers(H, T)  # (3, 31, 12, 12): offset o at index 15 + o
exact = torch.linalg.matrix_exp(torch.arange(1 - T, T)[:, None, None] * H[:, None])
residuals = {
    "equals e^(oH) at every offset": flow - exact,
    "group law: 5 frames after 9 are 14": flow[:, 20] @ flow[:, 24] - flow[:, 29],
    "reversible: 15 frames on, 15 back": flow[:, 0] @ flow[:, 30] - torch.eye(12),
    "every offset symplectic": sy.symplectic_residual(flow),
}
pd.DataFrame({"holds to 1e-10": {name: bool(r.abs().max() < 1e-10) for name, r in residuals.items()}})

# %% [markdown]
# The direct sum $\mathbf S = \mathbf S^1 \oplus \dots \oplus \mathbf S^K$ of Eq. (9) is exact in the code, not a
# penalty. A clip of action 2 has zeros for the positions of actions 1 and 3, and teaches their operators nothing.

# %%
operators = HamiltonianOperators(3, 6, "sp")
action, first = torch.tensor([1]), torch.tensor([0])
state = PhaseSpace.from_state(torch.ones(1, 12))
position = embed(operators.flow(state, action, first, frames=8).q, action, actions=3)
position.square().sum().backward()
by_action = {"norm of q(1..8)": position.detach().view(8, 3, 6).norm(dim=(0, 2)),
             "norm of the gradient of H": operators.symmetric.grad.norm(dim=(1, 2))}  # fmt: skip
pd.DataFrame(by_action, index=["action 1", "action 2", "action 3"]).gt(0).replace({True: "> 0", False: "0"}).T

# %% [markdown]
# ## What is conserved
#
# ```{prf:theorem} Conservation of energy
# :label: thm-energy
# Along $\dot{\mathbf s} = \mathbf J \mathbf M \mathbf s$ with constant symmetric $\mathbf M$, the energy $E = \tfrac12 \mathbf s^\top \mathbf M
# \mathbf s$ is constant.
# ```
#
# ```{prf:proof}
# $\dot E = \mathbf s^\top \mathbf M \dot{\mathbf s} = \mathbf s^\top \mathbf M \mathbf J \mathbf M \mathbf s = 0$, because
# $(\mathbf M \mathbf J \mathbf M)^\top = -\mathbf M \mathbf J \mathbf M$.
# ```
#
# So the energy of a clip is a constant the encoder chooses and the operator keeps: with one mode it would say *how large* the
# oscillation is, and the angle along the orbit *where in it* the frame lies; with $d$ modes there are $d$ of each. Below, in the arithmetic training uses
# (float32), 1,000 frames, more than sixty times the length of Table 1's clips. What drift there is comes from rounding,
# of $e^{\mathbf H}$ and of its products; here it grows in proportion to time, not exponentially.

# %% mystnb={"image": {"alt": "Relative error of the energy over a thousand frames"}} tags=["nbval-ignore-output"]
fig, axis = plt.subplots(figsize=(7.2, 2.6))
for family in ("u", "elliptic"):
    H = HamiltonianOperators(1, 6, family).float().generators().detach()
    orbit = sy.flow_powers(H, 1000)[0, 999:] @ torch.randn(12, dtype=torch.float32)
    E = sy.energy(H, orbit)
    axis.plot((E / E[0] - 1).abs().clamp_min(1e-9), label=family)
axis.set(yscale="log", ylim=(1e-9, 1e-2), xlabel="frame", ylabel="|E(t) / E(0) - 1|")
axis.legend();

# %% [markdown]
# ## What is *not* promised
#
# "Volume-preserving" sounds like "bounded", and is not. A volume-preserving flow may stretch one direction as long as it
# squeezes another. The eigenvalues of a Hamiltonian matrix come in quadruples $\pm a \pm ib$; a pair with
# $a \neq 0$ grows as $e^{a t}$ and shrinks as $e^{-a t}$, conserves its energy all the while, and takes the decoder out of
# everything it has seen.
#
# Table 1 asks for 16 frames from a model trained on 8. This is what a small real part does to them, and to a clip of 100
# or 1,000 frames.

# %%
def growth(rate, frame):
    digits = rate * (frame - 1) / math.log(10)
    return f"{10**digits:.3g}" if digits < 4 else f"1e{digits:.0f}"


rates = (0.0, 0.001, 0.01, 0.05, 0.136, 0.25)
pd.DataFrame({f"frame {t}": [growth(a, t) for a in rates] for t in (8, 16, 100, 1000)},
             index=[f"max Re λ = {a}" for a in rates])  # fmt: skip

# %% [markdown]
# With six positions a random energy has eigenvalues with a real part nearly always (with one, in seven cases of ten). An energy with *positive definite* $\mathbf M$ never does: with
# $\mathbf M^{1/2}$ the change of coordinates $\mathbf M^{1/2} \mathbf H \mathbf M^{-1/2} = \mathbf M^{1/2} \mathbf J \mathbf
# M^{1/2}$ is skew-symmetric, so every eigenvalue is imaginary and every orbit stays on the ellipsoid
# $\mathbf s^\top \mathbf M \mathbf s = 2E$. A skew $\mathbf H$ is bounded for a simpler reason: its flow is a rotation.

# %% mystnb={"image": {"alt": "Spectra of three operators and the norms of their orbits"}} tags=["nbval-ignore-output"]
torch.manual_seed(3)
M, L, S, A = torch.randn(12, 12) / 3, torch.randn(12, 12) / 2.5, *torch.randn(2, 6, 6)
members = {"random M": sy.sp_element(M), "positive definite M": sy.sp_element(L @ L.T),
           "skew H": sy.u_element(S, A)}  # fmt: skip
fig, (plane, time) = plt.subplots(1, 2, width_ratios=[1, 1.5])
for (name, H), marker in zip(members.items(), "osD", strict=True):
    values = torch.linalg.eigvals(H)
    plane.plot(values.real, values.imag, marker)
    time.plot((sy.flow_powers(H[None], 101)[0, 100:] @ torch.ones(12)).norm(dim=-1), label=name)
plane.set(xlabel="Re λ, per frame", ylabel="Im λ, radians per frame", title="spectrum")
time.set(yscale="log", xlabel="frame", ylabel="|s(t)|", title="orbit of one state")
time.legend();

# %% [markdown]
# ## Krein's theorem: how long a good start stays good
#
# Training moves $\mathbf M$. Can it give a well-behaved operator an eigenvalue with a real part? Eigenvalues of $\sp(2d)$ can leave the
# imaginary axis only in two ways: two of them must first **meet** on it, or a pair must meet at zero. Meeting is not
# enough. An imaginary eigenvalue carries a sign, its Krein signature, the sign of the energy of its mode; eigenvalues of *equal*
# sign pass through or repel *along* the axis, and only *opposite* signs may leave it {cite:p}`arnold1989,ekeland1990`.
#
# If $\mathbf M$ is positive definite all signs are equal, and the only door left is zero: some mode's stiffness must
# vanish. Two oscillators with frequencies $\omega_1, \omega_2$ coupled by $\varepsilon\, q_1 q_2$ show both cases. On the
# left both energies are positive, and the crossing at $\omega_2 = \omega_1$ is avoided. On the right the second energy is
# negative: same frequencies, same coupling, and at the crossing a bubble of growth opens.

# %% mystnb={"image": {"alt": "Two coupled oscillators of equal and of opposite Krein signature"}} tags=["nbval-ignore-output"]
omega = torch.linspace(0.6, 1.4, 161)
fig, axes = plt.subplots(1, 2, sharey=True)
for axis, sign in zip(axes, (1, -1), strict=True):
    one, two = torch.ones_like(omega), sign * omega
    M = torch.diag_embed(torch.stack([one, two, one, two], -1))  # s = (q1, q2, p1, p2)
    M[:, 0, 1] = M[:, 1, 0] = 0.15
    values = torch.linalg.eigvals(sy.sp_element(M))
    axis.plot(omega, values.imag.sort().values[:, 2:], color="C0")
    axis.plot(omega, 4 * values.real.max(-1).values, color="C1")
    axis.set(xlabel="second frequency", title=f"energies of {'equal' if sign > 0 else 'opposite'} sign")
axes[0].set_ylabel("Im λ (blue), 4 max Re λ (orange)");

# %% [markdown]
# So there is a computable safety margin. By Weyl's inequality $\mathbf M$ stays positive definite, and the spectrum stays
# on the axis, while the symmetric update is smaller in spectral norm than the smallest eigenvalue of $\mathbf M$. This is
# the reason for the start we use ([D14](#d14)): $d$ oscillators, coupled by no more than random entries of standard deviation 0.02, with frequencies spread over
# $(0, \pi)$ radians per frame, the range a clip sampled once a frame can tell apart. The release's start, √2 times the symmetric
# part of a random orthogonal matrix, has modes that grow from the first step.

# %%
def begin(family, start="oscillators"):
    torch.manual_seed(0)
    H = HamiltonianOperators(3, 6, family, start).double().generators().detach()
    M, rate = -sy.symplectic_form(6) @ H, sy.spectral_abscissa(H).max().item()
    return {"smallest eigenvalue of M": f"{torch.linalg.eigvalsh(M).min():.2f}",
            "max Re λ": f"{rate:.2f}", "growth at frame 100": growth(round(rate, 6), 100)}  # fmt: skip


starts = {family: begin(family) for family in FAMILIES}
pd.DataFrame({**starts, "sp, the release's start": begin("sp", "random")}).T

# %% [markdown]
# The four families, by how many numbers they have (`sp` contains them all and `u` contains `u_sym`; `u` and `elliptic` overlap, and neither contains the other):
#
# | family | $\mathbf H$ | numbers ($d = 6$) | bounded? | role |
# |---|---|--:|---|---|
# | `sp` | $\mathbf J \mathbf M$, any symmetric $\mathbf M$ | 78 | only while no eigenvalue has a real part and none is defective (Exercise 1) | the paper's $\mathbf H$ |
# | `elliptic` | $\mathbf J (\mathbf L\mathbf L^\top + \tfrac{1}{100}\mathbf I)$ | 78 | always | our extension |
# | `u` | $\begin{pmatrix} \mathbf S & \mathbf A \\ -\mathbf A & \mathbf S\end{pmatrix}$ | 36 | always, $\|\mathbf s\|$ constant | the paper's skew-$\mathbf H$ |
# | `u_sym` | the same with $\mathbf S = 0$ | 21 | always | the release's skew-$\mathbf H$ |
#
# What training does to the spectrum, and what that costs at frame 16, is measured in the chapter on
# {doc}`generation <06_generation>`.

# %% [markdown]
# ## A learned operator
#
# Everything so far held for any operator. Now for the shipped ones, trained on Sprites (preset `laptop`, seed 0): first the three exact
# properties, in float32 and on sixteen frames. The last row is a property of `u`; of `sp` it is an outcome of training.

# %%
def trained(name, dataset="sprites"):
    network = load_shipped("laptop", dataset, name, 0)[0]
    return network.float(), network.operators.float(), network.operators.generators().detach().double()


rows = {}
for name in ("halo-sp", "halo-u"):
    _, operators, H = trained(name)
    rows[name] = {"reversible to 0.1 %": reversal_error(operators) < 1e-3,
                  "symplectic to 0.1 %": symplectic_defect(operators) < 1e-3,
                  "energy kept to 0.1 %": energy_drift(operators, 16) < 1e-3,
                  "no eigenvalue with a real part": bool(sy.spectral_abscissa(H).max() < 1e-6)}  # fmt: skip
pd.DataFrame(rows)

# %% [markdown]
# ### Noether's theorem
#
# A conserved quantity for every symmetry: for quadratic energies both are matrices, and the theorem is two lines.
#
# ```{prf:theorem} Noether, quadratic
# :label: thm-noether
# Let $\mathbf A, \mathbf H \in \sp(2d)$. The flow of $\mathbf H$ conserves $F = \tfrac12 \mathbf s^\top \mathbf N \mathbf s$ with
# $\mathbf N = -\mathbf J \mathbf A$ if and only if $[\mathbf A, \mathbf H] = 0$, that is, if the flow of $\mathbf A$ is a symmetry of that of $\mathbf H$.
# ```
#
# ```{prf:proof}
# $\dot F = \tfrac12 \mathbf s^\top (\mathbf H^\top \mathbf N + \mathbf N \mathbf H)\, \mathbf s$. Since $\mathbf J \mathbf H$ is symmetric,
# $\mathbf H^\top \mathbf J = -\mathbf J \mathbf H$, so the bracket is $\mathbf J \mathbf H \mathbf A - \mathbf J \mathbf A \mathbf H =
# \mathbf J [\mathbf H, \mathbf A]$, and it is symmetric: the form vanishes for all $\mathbf s$ exactly if the matrix does.
# ```
#
# Every operator has such symmetries: its own odd powers, $\mathbf H, \mathbf H^3, \dots, \mathbf H^{2d-1}$, are in $\sp(2d)$ and commute
# with it. With frequencies that differ from each other and from zero they give $d$ independent conserved quantities, and their combinations are the energies of
# the single modes. So a learned operator does not conserve *something*: it conserves as many numbers as its subspace
# has positions. Below, for the operator learned for the walk, three of them, and one form that is no symmetry's.

# %% mystnb={"image": {"alt": "Three conserved quantities of a learned operator, and one that is not conserved"}} tags=["nbval-ignore-output"]
H = trained("halo-u")[2][0]
torch.manual_seed(0)
orbit = sy.flow_powers(H[None], 65)[0, 64:] @ torch.randn(12)
fig, axis = plt.subplots(figsize=(7.2, 2.6))
for power, label, width in ((1, "H: the energy", 6), (3, "H³", 3.5), (5, "H⁵", 1.5)):
    F = sy.energy(torch.linalg.matrix_power(H, power), orbit)
    axis.plot(F / F[0], label=f"F of {label}", lw=width)
axis.plot(orbit[:, :6].square().sum(-1) / orbit[0, :6].square().sum(), label="|q|², not conserved", lw=1)
axis.set(xlabel="frame", ylabel="relative to frame 1", ylim=(0, 1.6))
axis.legend(ncols=4, loc="upper center");

# %% [markdown]
# ### Phase portraits and spectra
#
# What each operator does, mode by mode. Left, the spectra: eight frames a period is $2\pi/8$ radians per frame and its
# multiples, the dotted lines, and that is where a model trained on one period of a cycle should have put its modes. Fourteen of the eighteen are there,
# to 0.01; what the others (1.38; 1.43; 1.40 and 2.98) carry is not measured here. Right, one
# orbit of each operator, seen in the plane of its mode nearest to one turn a clip: 16 frames as points, the flow between them
# as a line, since $e^{t\mathbf H}$ has no need of whole frames. Where the second eight points lie on the first, frame 9 is
# frame 1.

# %%
def plane(H):
    """Two coordinates in which the oscillation nearest one turn a clip is a circle."""
    values, vectors = torch.linalg.eig(H)
    once = (values.imag - 2 * math.pi / 8).abs().argmin()
    basis = torch.stack([vectors[:, once].real, vectors[:, once].imag], 1)
    return torch.linalg.pinv(basis)

# %% mystnb={"image": {"alt": "Spectra of the learned operators and phase portraits of three actions"}} tags=["nbval-ignore-output"]
actions = ("walk", "spellcast", "slash")
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2.4), width_ratios=[1.3, 1, 1, 1])
for number in range(-4, 5):
    axes[0].axhline(2 * math.pi / 8 * number, color="C5", lw=0.6, ls=":")
for k, (name, axis) in enumerate(zip(actions, axes[1:], strict=True)):
    H = trained("halo-u")[2][k]
    values, start = torch.linalg.eigvals(H), torch.ones(12)
    axes[0].plot([k] * 12, values.imag, "o", color=f"C{k}", ms=3)
    times = torch.linspace(0, 15, 301)
    path = plane(H) @ (exp(times[:, None, None] * H) @ start).mT
    axis.plot(*path, color=f"C{k}", lw=0.7)
    axis.plot(*path[:, ::20], "o", color=f"C{k}", ms=3)
    axis.set(title=name, aspect="equal", xticks=[], yticks=[])
axes[0].set(xticks=range(3), xticklabels=[a[:5] for a in actions], title="Im λ, radians a frame");

# %% [markdown]
# ### Energy along clips
#
# The flow conserves the energy of the state it is given. Does the *encoder* know? It reads $(\mathbf q_t, \mathbf p_t)$ from any
# frame on its own, and nothing forces eight frames of a clip onto one level but the bound, which asks every frame to serve as the
# start of the whole. On three clips of the stand-in, one an action, the energy read off each frame. A flat line
# would be an encoder that has understood the conservation law; the dashed line is the flow from frame 1. It has not, or only roughly: the median clip's
# energy moves by 29 to 44 % of its mean. Still it tells clips apart, the views first of all: the last column is the share of its variance that lies *between* clips.
# (Skew-$\mathbf H$ trained on the stand-in, seed 0.) Over every 24th test clip of it, the range within a clip against its mean, the standard deviation within a clip, and that share:

# %% mystnb={"image": {"alt": "Energy read from every frame of three clips, against the constant energy of the flow"}} tags=["nbval-ignore-output"]
network, operators, H = trained("halo-u", "sprites-procedural")
clip_set = load("sprites-procedural", "test")
index = chosen(clip_set, 3)
action = clip_set.targets["action"][index]
fig, axis = plt.subplots(figsize=(7.2, 2.6))
with torch.inference_mode():
    features = network.features(normalise(clip_set.clips(index)).float())
    frames = [network.infer(features, action, torch.full_like(action, t)).mean_state().state for t in range(8)]
states = torch.stack(frames, 1).double()
E = sy.energy(H[action][:, None], states)
flow = torch.einsum("bij,bj->bi", sy.flow_powers(H, 8)[action, -1], states[:, 0])  # s_8 from s_1
for k, name in enumerate(actions):
    axis.plot(range(1, 9), E[k], ".-", label=name)
    axis.plot([1, 8], [E[k, 0], sy.energy(H[action[k]], flow[k])], "--", color=f"C{k}", lw=0.8)
axis.set(xlabel="frame the state is read from", ylabel="E(q, p)")
axis.legend(ncols=3);

# %%
index = torch.arange(0, len(clip_set), 24)
action, parts = clip_set.targets["action"][index], []
with torch.inference_mode():
    features = network.features(normalise(clip_set.clips(index)).float())
    for t in range(8):
        state = network.infer(features, action, torch.full_like(action, t)).mean_state().state.double()
        parts.append(sy.energy(H[action], state))
E, rows = torch.stack(parts, 1), {}
for k, name in enumerate(actions):
    own = E[action == k]
    moves = (own.amax(1) - own.amin(1)) / own.mean(1)
    within = own.var(1).mean()
    between = own.mean(1).var() - within / 8
    rows[name] = {"clips": len(own), "range within a clip, median": f"{moves.median():.0%}",
                  "within a clip, sd": f"{within.sqrt():.1f}",
                  "share between clips": f"{between / (between + within):.2f}"}  # fmt: skip
pd.DataFrame(rows).T

# %% [markdown]
# ## In short
#
# - Reversible, volume-preserving, conserving: all three follow from $\mathbf H = \mathbf J \mathbf M$ with a symmetric $\mathbf M$, and no training can lose them, but for rounding, which a growing mode multiplies.
# - None of them bounds an orbit. A mode whose eigenvalue has a real part grows, and conserves its energy while it does.
# - What bounds an orbit is a definite energy (`elliptic`) or a rotation (`u`). A definite start is a guarantee only until its margin is used up: of the nine operators of the shipped $\mathbf H$ four have left the axis, all three of seed 0 and one of seed 2; none of seed 1 has.
# - The flow costs one exponential of each operator a batch, and products; its inverse is free.

# %% [markdown]
# ## Exercises
#
# **1.** Let $d = 1$. For which $\mathbf M$ is every orbit bounded?
#
# ```{admonition} Solution
# :class: dropdown
# With $\mathbf M = \left(\begin{smallmatrix} a & b \\ b & c \end{smallmatrix}\right)$ the operator is
# $\mathbf H = \left(\begin{smallmatrix} b & c \\ -a & -b \end{smallmatrix}\right)$ and $\lambda^2 = -\det \mathbf M$. Both eigenvalues
# are imaginary if $\det \mathbf M > 0$, real if it is negative; if it is 0, and $\mathbf M$ is not, the state drifts linearly.
# So all orbits are bounded if and only if $\mathbf M$ is definite or zero. For $d > 1$ an indefinite $\mathbf M$ may be bounded too,
# until modes of opposite sign meet.
# ```
#
# **2.** Film a motion backwards. For which operators is the result again a motion of the same operator, with the same
# positions and the momenta reversed?
#
# ```{admonition} Solution
# :class: dropdown
# With $\mathbf R = \operatorname{diag}(\mathbf I_d, -\mathbf I_d)$, which reverses the momenta, this asks that
# $\mathbf R e^{t\mathbf H} \mathbf R = e^{-t\mathbf H}$, that is $\mathbf R \mathbf H \mathbf R = -\mathbf H$. Since
# $\mathbf R \mathbf J \mathbf R = -\mathbf J$, it means $\mathbf R \mathbf M \mathbf R = \mathbf M$: no term of the energy mixes positions
# with momenta. Of the skew operators these are the ones with $\mathbf S = 0$, the family `u_sym` of the release. Its flow cannot
# tell a walk from the same walk backwards, except by the sign of $\mathbf p$. *Reversible*, in the paper's sense, is
# something else, and holds for all of them: the flow has an inverse.
# ```
#
# **3.** How many oscillators does a coordinate need to follow any sequence of period 8?
#
# ```{admonition} Solution
# :class: dropdown
# Four, with frequencies $2\pi/8$ times 1, 2, 3 and 4; eight numbers are their mean and seven more, and the last frequency has
# one phase only. The mean is the decoder's to add. The six of $d = 6$ are enough.
# ```
