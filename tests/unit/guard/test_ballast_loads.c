/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan beside a machine that is short of memory: programs want more and more, what does not fit
 * is swapped out, and pages stop compressing when it hurts most.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "guard/ballast_plan.h"

#define MIB (UINT64_C(1) << 20)
#define PAGE 4096.0

/* What a pool has beside payloads, and a server beside its pool, and what it counts as reserve. */
#define OVERHEAD 1.02
#define RESERVE (2.0 * MIB)

/* All in bytes, and time in milliseconds. */
struct machine {
	double memory;	       /* for programs, pool and ballast that is under way */
	double area, memlimit; /* 0 for none */
	double rate;	       /* of pages that programs want, in a millisecond */
	double ratio, later;   /* of pages, before and after so many bytes of them */
	double changes_at;
	double guard_rate;  /* at which the guard takes slots; it gives them back at once */
	double guard_stops; /* it looks no more after so many bytes of pages; 0: never */
	uint64_t lists;	    /* what free lists may hide */
	double small;	    /* the most that vm.min_free_kbytes is there; 0: not known */
	bool told;	    /* the kernel tells of each slot that it frees */

	double wanted;	 /* by programs so far */
	double resident; /* of it */
	double swapped, payload, held;
	double written_pages, written_payload;
	double pool_most;
	uint64_t ms, looks_at;
	bool full;	   /* the kernel has found the area full */
	bool refused;	   /* a write failed */
	double left_least; /* that programs had in memory once swap was used; or the pool took of
			    * reserve and minimum, below 0 */
};

/* As scripts/ramzswap sets vm.min_free_kbytes. */
static double minimum_of(const struct machine *machine)
{
	double minimum = machine->memory / 24;

	if (machine->small <= 0)
		return 0;
	if (minimum > machine->small)
		minimum = machine->small;
	if (minimum < machine->memory / 64)
		minimum = machine->memory / 64;
	return minimum < 16.0 * MIB ? minimum : 16.0 * MIB;
}

static double pool_of(const struct machine *machine)
{
	return machine->payload * OVERHEAD + RESERVE;
}

static void swap_out(struct machine *machine, double bytes)
{
	double ratio = machine->wanted < machine->changes_at ? machine->ratio : machine->later;

	if (machine->swapped + machine->held + bytes > machine->area) {
		machine->full = true;
		return;
	}
	machine->swapped += bytes;
	machine->resident -= bytes;
	machine->payload += bytes / ratio;
	machine->written_pages += bytes / PAGE;
	machine->written_payload += bytes / ratio;
	if (machine->memlimit && pool_of(machine) - RESERVE > machine->memlimit)
		machine->refused = true;
}

/* A page that is swapped out makes only as much room as its payload leaves. */
static void make_room(struct machine *machine)
{
	while (!machine->full && !machine->refused &&
	       machine->resident + pool_of(machine) > machine->memory)
		swap_out(machine, 16 * PAGE);
	if (machine->swapped > 0 && machine->resident < machine->left_least)
		machine->left_least = machine->resident;
}

static void look(struct machine *machine, struct ballast_plan *plan)
{
	struct ramzswap_stats stats = {
		.disksize = (uint64_t)machine->area,
		.memlimit = (uint64_t)machine->memlimit,
		.mem_used_total = (uint64_t)pool_of(machine),
		.reserve_ready = (uint64_t)RESERVE,
		.orig_data_size = (uint64_t)machine->swapped,
		.compr_data_size = (uint64_t)machine->payload,
		.pages_written = (uint64_t)machine->written_pages,
		.payload_written = (uint64_t)machine->written_payload,
		.notices_heeded = machine->told,
	};
	double above = machine->memory - machine->resident - pool_of(machine);
	double minimum = minimum_of(machine), available = above - minimum / 2;
	struct ballast_view view = {
		.stats = &stats,
		.memory = {
			.total = (uint64_t)machine->memory,
			.free = (uint64_t)(minimum + (above > 0 ? above : 0)),
			.available = available > 0 ? (uint64_t)available : 0,
			.swappable = machine->resident > 0 ? (uint64_t)machine->resident : 0,
		},
		.lists = machine->lists,
		.minimum = (uint64_t)minimum,
		.floor = (uint64_t)minimum / 2,
		.area_free = (uint64_t)(machine->area - machine->swapped - machine->held),
		.held = (uint64_t)machine->held,
		.ms = machine->ms,
	};
	double held = (double)ballast_plan_look(plan, &view), least = machine->held;

	/* Before programs want anything there is time. */
	if (machine->ms > 0 && held > least + machine->guard_rate * BALLAST_LOOK_MS)
		held = least + machine->guard_rate * BALLAST_LOOK_MS;
	machine->held = held;
	view.held = (uint64_t)held;
	view.area_free = (uint64_t)(machine->area - machine->swapped - machine->held);
	machine->looks_at = machine->ms + ballast_plan_pause(plan, &view);
}

/* Until the area is full, a write fails, or programs have all that they want. */
static void run(struct machine *machine, double wants)
{
	struct ballast_plan plan = { 0 };

	machine->left_least = machine->memory;
	look(machine, &plan);
	while (!machine->full && !machine->refused && machine->wanted < wants) {
		machine->ms++;
		machine->wanted += machine->rate;
		machine->resident += machine->rate;
		make_room(machine);
		if (machine->ms >= machine->looks_at &&
		    (!machine->guard_stops || machine->wanted < machine->guard_stops))
			look(machine, &plan);
	}
}

/* A machine of that size; 0 for a limit means that its memory is one. */
static struct machine machine_of(double mib, double memlimit_mib, double mib_per_second)
{
	return (struct machine){
		.memory = mib * MIB,
		.area = 4 * mib * MIB,
		.memlimit = memlimit_mib * MIB,
		.rate = mib_per_second * MIB / 1000,
		.lists = UINT64_MAX,
		.small = 8.0 * MIB,
		.guard_rate = mib_per_second * MIB / 1000 / 4,
		.ratio = 3,
		.later = 3,
		.changes_at = 1e18,
	};
}

static double left_with(const struct machine *machine, uint64_t lists)
{
	struct ramzswap_stats empty = {
		.reserve_ready = machine->told ? (uint64_t)RESERVE : 0,
		.notices_heeded = machine->told,
	};
	struct ballast_view view = {
		.stats = &empty,
		.memory = {
			.total = (uint64_t)machine->memory,
			.available = (uint64_t)machine->memory,
		},
		.lists = lists,
		.minimum = (uint64_t)minimum_of(machine),
	};

	return machine->memory - (double)ballast_plan_limit(&view);
}

static double left_of(const struct machine *machine)
{
	return left_with(machine, machine->lists);
}

/*
 * What of it is put aside goes off, the reserve counts as room, and the kernel goes by steps. Where
 * nothing is left, the pool may take the reserve and half of the minimum, but no more.
 */
static double least_of(const struct machine *machine)
{
	if (machine->told)
		return -RESERVE - minimum_of(machine) / 2;
	return left_of(machine) - left_with(machine, UINT64_MAX) / 8 - RESERVE - MIB;
}

static const double sizes[] = { 80, 128, 203, 480, 2000, 8000 };
static const double rates[] = { 10, 80, 500 };

/*
 * Free lists that nothing bounds, and such that may hide 1/256 of the memory or 1/1024; with the
 * minimum of each door, and where the kernel tells of freed slots.
 */
static const struct setting {
	double share, small_mib;
	bool told;
} settings[] = {
	{ 0, 8, false }, { 256, 8, false }, { 256, 5, false }, { 1024, 3, false },
	{ 0, 8, true },	 { 1024, 8, true }, { 1024, 3, true },
};

static void set(struct machine *machine, const struct setting *setting)
{
	machine->lists = setting->share > 0 ? (uint64_t)(machine->memory / setting->share)
					    : UINT64_MAX;
	machine->small = setting->small_mib * MIB;
	machine->told = setting->told;
}

#define EACH(i, list) (size_t i = 0; i < sizeof(list) / sizeof(*(list)); i++)

static void go_on_as_it_is(double mib, double rate, const struct setting *setting)
{
	struct machine machine = machine_of(mib, 0, rate);
	double left, fits;

	set(&machine, setting);
	left = left_of(&machine);
	fits = (machine.memory - RESERVE - left) * 3 / OVERHEAD;
	run(&machine, 1e18);
	assert_true(machine.full);
	/* Of the last, what comes between two looks is lost at that pace. */
	assert_true(machine.swapped > fits * 0.95 - machine.rate * 50);
	assert_true(machine.left_least >= left - RESERVE - MIB);
}

static void a_steady_load_gets_all_that_its_ratio_gives(void **state)
{
	for
		EACH(i, sizes)
		{
		for
			EACH(j, rates)
			{
				for
					EACH(k, settings)
					{
						go_on_as_it_is(sizes[i], rates[j], &settings[k]);
					}
			}
		}
}

static void stop_compressing(double mib, double rate, const struct setting *setting, double at,
			     bool stops)
{
	struct machine machine = machine_of(mib, 0, rate);

	set(&machine, setting);
	machine.ratio = 4;
	machine.later = 1;
	machine.changes_at = at * machine.memory;
	machine.guard_stops = stops ? machine.changes_at : 0;
	run(&machine, 1e18);
	assert_true(machine.full);
	assert_true(machine.left_least >= least_of(&machine));
}

static void pages_that_stop_compressing_leave_programs_what_they_need(void **state)
{
	for
		EACH(i, sizes)
		{
		for
			EACH(j, rates)
			{
				for
					EACH(k, settings)
					{
						for (double at = 0.9; at < 4; at += 0.1)
							stop_compressing(sizes[i], rates[j],
									 &settings[k], at, false);
					}
			}
		}
}

static void nor_does_a_guard_that_comes_no_more(void **state)
{
	for
		EACH(i, sizes)
		{
			for
				EACH(k, settings)
				{
					for (double at = 0.9; at < 4; at += 0.05)
						stop_compressing(sizes[i], 500, &settings[k], at,
								 true);
				}
		}
}

static void no_write_fails_below_a_limit(void **state)
{
	for
		EACH(i, sizes)
		{
		for
			EACH(j, rates)
			{
				for (double at = 1; at < 2; at += 0.02) {
					struct machine machine =
						machine_of(sizes[i], sizes[i] / 10, rates[j]);

					machine.ratio = 4;
					machine.later = 1;
					machine.changes_at = at * machine.memory;
					machine.guard_stops = at > 1.5 ? machine.changes_at : 0;
					run(&machine, 1e18);
					assert_true(machine.full);
					assert_false(machine.refused);
				}
			}
		}
}

static void a_limit_is_used_as_far_as_it_goes(void **state)
{
	for
		EACH(i, sizes)
		{
			struct machine machine = machine_of(sizes[i], sizes[i] / 10, 80);

			run(&machine, 1e18);
			assert_true(machine.full);
			assert_true(machine.payload * OVERHEAD >
				    machine.memlimit * 0.9 - machine.rate * 50);
		}
}

static void a_load_that_compresses_later_gets_its_room(void **state)
{
	for
		EACH(i, sizes)
		{
			struct machine machine = machine_of(sizes[i], 0, 80);

			machine.ratio = 1.5;
			machine.later = 4;
			machine.changes_at = 1.1 * machine.memory;
			run(&machine, 1.3 * machine.memory);
			assert_false(machine.full);
		}
}

/* Half of the minimum is free, or more, when the OOM killer comes: the other half is to be found. */
static void short_lists_leave_the_kernel_twice_what_is_missing_to_its_minimum(void **state)
{
	for (double mib = 64; mib < 5000; mib *= 1.05) {
		for
			EACH(i, settings)
			{
				struct machine machine = machine_of(mib, 0, 1);
				double left;

				set(&machine, &settings[i]);
				left = left_of(&machine);
				assert_true(left <= left_with(&machine, UINT64_MAX));
				if (settings[i].share > 0 && !settings[i].told)
					assert_true(left - (double)machine.lists + 1 >=
						    minimum_of(&machine));
			}
	}
}

static void and_leave_the_pool_more_where_memory_is_small(void **state)
{
	struct machine machine = machine_of(240, 0, 1);

	assert_true(left_of(&machine) >= 32.0 * MIB);
	set(&machine, &settings[1]);
	assert_true(left_of(&machine) <= 9.0 * MIB);
	set(&machine, &settings[2]);
	assert_true(left_of(&machine) <= 6.0 * MIB);
}

/* What the OOM killer ends comes back from the pool as well. */
static void where_freed_slots_are_told_no_more_is_left_than_lists_may_hide(void **state)
{
	for (double mib = 64; mib < 5000; mib *= 1.05) {
		struct machine machine = machine_of(mib, 0, 1);

		set(&machine, &settings[6]);
		assert_true(left_of(&machine) <= RESERVE + (double)machine.lists + 1);
	}
}

/* Somebody may want the kernel's own, which is 2 MB in 256. */
static void a_minimum_that_is_too_small_or_not_known_is_not_relied_on(void **state)
{
	for (int told = 0; told <= 1; told++) {
		struct ramzswap_stats empty = {
			.reserve_ready = (uint64_t)RESERVE,
			.notices_heeded = told,
		};
		struct ballast_view view = {
			.stats = &empty,
			.memory = { .total = 256 * MIB, .available = 256 * MIB },
			.lists = MIB / 4,
			.minimum = 4 * MIB,
		};
		uint64_t limit = ballast_plan_limit(&view);

		view.minimum = 2 * MIB;
		assert_int_equal(ballast_plan_limit(&view), limit - (told ? 2 * MIB : 0));
		assert_true(ballast_plan_limit(&view) <= 256 * MIB - 4 * MIB);
		view.minimum = 0;
		assert_int_equal(ballast_plan_limit(&view), 256 * MIB - 32 * MIB);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_load_gets_all_that_its_ratio_gives),
		cmocka_unit_test(pages_that_stop_compressing_leave_programs_what_they_need),
		cmocka_unit_test(nor_does_a_guard_that_comes_no_more),
		cmocka_unit_test(no_write_fails_below_a_limit),
		cmocka_unit_test(a_limit_is_used_as_far_as_it_goes),
		cmocka_unit_test(a_load_that_compresses_later_gets_its_room),
		cmocka_unit_test(short_lists_leave_the_kernel_twice_what_is_missing_to_its_minimum),
		cmocka_unit_test(and_leave_the_pool_more_where_memory_is_small),
		cmocka_unit_test(where_freed_slots_are_told_no_more_is_left_than_lists_may_hide),
		cmocka_unit_test(a_minimum_that_is_too_small_or_not_known_is_not_relied_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
