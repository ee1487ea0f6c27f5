/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keeps a server alive that holds its machine's swap: what this room shows to others. */
#ifndef RAMZSWAP_SURVIVAL_H
#define RAMZSWAP_SURVIVAL_H

#include "survival/heap.h"
#include "survival/oom_call.h"
#include "survival/oom_victims.h"
#include "survival/protection.h"
#include "survival/privileges.h"
#include "survival/queue.h"

#endif
