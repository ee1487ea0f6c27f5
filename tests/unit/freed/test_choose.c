/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which function of the kernel notices hang on: kernels' types as far as they matter. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/btf.h>

#include "freed/hook.h"

/* The types that a kernel is made of here, by their numbers. */
struct kernel {
	struct btf *btf;
	int area, cluster, entry, ulong, uint;
};

static struct kernel kernel_new(void)
{
	struct kernel kernel = { .btf = btf__new_empty() };
	struct btf *btf = kernel.btf;
	int type;

	assert_non_null(btf);
	kernel.ulong = btf__add_int(btf, "long unsigned int", 8, 0);
	kernel.uint = btf__add_int(btf, "unsigned int", 4, 0);
	type = btf__add_struct(btf, "swap_info_struct", 600);
	kernel.area = btf__add_ptr(btf, btf__add_const(btf, type));
	type = btf__add_struct(btf, "swap_cluster_info", 48);
	kernel.cluster = btf__add_ptr(btf, type);
	type = btf__add_struct(btf, NULL, 8);
	btf__add_field(btf, "val", kernel.ulong, 0, 0);
	kernel.entry = btf__add_typedef(btf, "swp_entry_t", type);
	return kernel;
}

static void add_table(struct kernel *kernel, uint32_t slots)
{
	int array = btf__add_array(kernel->btf, kernel->uint, kernel->ulong, slots);

	btf__add_struct(kernel->btf, "swap_table", 8 * slots);
	btf__add_field(kernel->btf, "entries", array, 0, 0);
}

/* A function of up to four parameters; 0 ends them. */
static void add_function(struct kernel *kernel, const char *name, int first, int second, int third,
			 int fourth)
{
	const int types[] = { first, second, third, fourth };
	int proto = btf__add_func_proto(kernel->btf, 0);

	for (int i = 0; i < 4 && types[i]; i++)
		assert_int_equal(btf__add_func_param(kernel->btf, "x", types[i]), 0);
	assert_true(btf__add_func(kernel->btf, name, BTF_FUNC_STATIC, proto) > 0);
}

static int choose(struct kernel *kernel, struct freed_target *target)
{
	char why[256] = "";
	int err = freed_choose(kernel->btf, target, why, sizeof(why));

	assert_true(err == 0 || (*why && !strchr(why, '\n')));
	btf__free(kernel->btf);
	return err;
}

static void the_functions_of_known_kernels_are_found(void **state)
{
	struct freed_target target;
	struct kernel k = kernel_new();

	add_function(&k, "swap_range_free", k.area, k.ulong, k.uint, 0); /* 6.1 */
	assert_int_equal(choose(&k, &target), 0);
	assert_string_equal(target.function, "swap_range_free");
	assert_int_equal(target.shape, FREED_SLOT);
	assert_true(freed_is_proven(&target));

	k = kernel_new();
	add_function(&k, "swap_entry_range_free", k.area, k.entry, k.uint, 0); /* 6.12 */
	assert_int_equal(choose(&k, &target), 0);
	assert_int_equal(target.shape, FREED_ENTRY);
	assert_true(freed_is_proven(&target));

	k = kernel_new();
	add_function(&k, "swap_entries_free", k.area, k.cluster, k.entry, k.uint); /* 6.18 */
	assert_int_equal(choose(&k, &target), 0);
	assert_int_equal(target.shape, FREED_CLUSTER_ENTRY);
	assert_false(freed_is_proven(&target));

	k = kernel_new();
	add_table(&k, 512);
	add_function(&k, "__swap_cluster_free_entries", k.area, k.cluster, k.uint, k.uint);
	assert_int_equal(choose(&k, &target), 0); /* 7.3 */
	assert_int_equal(target.shape, FREED_CLUSTER_SLOT);
	assert_int_equal(target.cluster_size, 48);
	assert_int_equal(target.cluster_slots, 512);
	assert_true(freed_is_proven(&target));
}

static void of_two_the_newer_is_taken(void **state)
{
	struct freed_target target;
	struct kernel k = kernel_new();

	add_function(&k, "swap_range_free", k.area, k.ulong, k.uint, 0);
	add_function(&k, "swap_entry_range_free", k.area, k.cluster, k.entry, k.uint);
	assert_int_equal(choose(&k, &target), 0);
	assert_string_equal(target.function, "swap_entry_range_free");
	assert_int_equal(target.shape, FREED_CLUSTER_ENTRY);
}

static void a_kernel_without_any_is_refused(void **state)
{
	struct freed_target target = { .function = "untouched" };
	struct kernel k = kernel_new();

	add_function(&k, "swap_slot_free_notify", k.area, k.ulong, 0, 0);
	assert_int_equal(choose(&k, &target), -ENOENT);
	assert_string_equal(target.function, "untouched");
}

static void a_function_that_takes_something_else_is_refused(void **state)
{
	struct freed_target target;
	struct kernel k = kernel_new();

	add_function(&k, "swap_range_free", k.area, k.uint, k.uint, 0);
	assert_int_equal(choose(&k, &target), -EOPNOTSUPP);
	k = kernel_new();
	add_function(&k, "swap_range_free", k.cluster, k.ulong, k.uint, 0);
	assert_int_equal(choose(&k, &target), -EOPNOTSUPP);
	k = kernel_new();
	add_function(&k, "swap_range_free", k.area, k.ulong, 0, 0);
	assert_int_equal(choose(&k, &target), -EOPNOTSUPP);
	/* Even though an older one would do: it is called by this one, or by nobody. */
	k = kernel_new();
	add_function(&k, "swap_range_free", k.area, k.ulong, k.uint, 0);
	add_function(&k, "swap_entries_free", k.area, k.ulong, k.ulong, k.uint);
	assert_int_equal(choose(&k, &target), -EOPNOTSUPP);
}

static void clusters_of_unknown_size_are_refused(void **state)
{
	struct freed_target target;
	struct kernel k = kernel_new();

	add_function(&k, "__swap_cluster_free_entries", k.area, k.cluster, k.uint, k.uint);
	assert_int_equal(choose(&k, &target), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_functions_of_known_kernels_are_found),
		cmocka_unit_test(of_two_the_newer_is_taken),
		cmocka_unit_test(a_kernel_without_any_is_refused),
		cmocka_unit_test(a_function_that_takes_something_else_is_refused),
		cmocka_unit_test(clusters_of_unknown_size_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
