# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a decoder of MonoNPHM's shape on the open head's people, and a regressor of its codes.

    python -m training nphm-people --out people.npz          the population as arrays
    python -m training.nphm.run people.npz --out RUN --seconds 600       decoder, then regressor
    python -m training nphm-export RUN/decoder.npz --models MODELS       as if it was imported

Needs torch, and a card to be of use. `network` is the decoder (formulas: core.nphm.decoder),
`surfaces` draws heads and their signed distances, `train` fits the decoder, `front_maps` renders
it, `regressor` learns codes from such maps. Apart from `people` nothing here imports core, so that
the folder can be carried to a card as it is.
"""
