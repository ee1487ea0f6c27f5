/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the proof stands in a device's first page: in what swap headers leave to boot sectors. */
#ifndef RAMZSWAP_FREED_PROOF_H
#define RAMZSWAP_FREED_PROOF_H

#define FREED_PROOF_OFFSET 1008
#define FREED_PROOF_SIZE 16

#endif
