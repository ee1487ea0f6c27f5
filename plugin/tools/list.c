/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <string.h>

#include "tools/figures.h"
#include "tools/list.h"
#include "tools/stats_text.h"

#define CELL_MAX 256
#define COLUMNS_MAX 32

/* How a column is shown. */
enum kind { WORD, NUMBER, SIZE, RATIO };

/* What it shows: one of these, by kind. */
struct cell {
	const char *word;
	uint64_t number;
	double ratio;
};

static struct cell name(const struct disk *disk)
{
	return (struct cell){ .word = disk->name };
}

static struct cell disksize(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.disksize };
}

static struct cell data(const struct disk *disk)
{
	return (struct cell){ .number = stats_stored(&disk->stats) };
}

static struct cell compr(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.compr_data_size };
}

static struct cell total(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.mem_used_total };
}

static struct cell ratio(const struct disk *disk)
{
	uint64_t stored = stats_in_memory(&disk->stats), used = disk->stats.mem_used_total;

	return (struct cell){ .ratio = stored && used ? (double)stored / (double)used : 0 };
}

static struct cell algorithm(const struct disk *disk)
{
	return (struct cell){ .word = disk->about.codec };
}

static struct cell idle_algorithm(const struct disk *disk)
{
	return (struct cell){ .word = disk->about.idle_codec };
}

static struct cell mem_limit(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.memlimit };
}

static struct cell mem_used(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.mem_used_max };
}

static struct cell same_pages(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.same_pages };
}

static struct cell backing(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.bd_bytes };
}

static struct cell clients(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.connections };
}

static struct cell uptime(const struct disk *disk)
{
	return (struct cell){ .number = disk->stats.uptime_seconds };
}

static struct cell pid(const struct disk *disk)
{
	return (struct cell){ .word = disk->about.pid };
}

static struct cell version(const struct disk *disk)
{
	return (struct cell){ .word = disk->about.version };
}

static struct cell swap(const struct disk *disk)
{
	return (struct cell){ .word = disk->about.swap };
}

static struct cell device(const struct disk *disk)
{
	return (struct cell){ .word = disk->device };
}

static struct cell socket_path(const struct disk *disk)
{
	return (struct cell){ .word = disk->socket };
}

static const struct column {
	const char *name;
	enum kind kind;
	struct cell (*value)(const struct disk *disk);
} columns[] = {
	{ "NAME", WORD, name },
	{ "DISKSIZE", SIZE, disksize },
	{ "DATA", SIZE, data },
	{ "COMPR", SIZE, compr },
	{ "TOTAL", SIZE, total },
	{ "RATIO", RATIO, ratio },
	{ "ALGORITHM", WORD, algorithm },
	{ "DEVICE", WORD, device },
	{ "SOCKET", WORD, socket_path },
	{ "IDLE-ALGORITHM", WORD, idle_algorithm },
	{ "MEM-LIMIT", SIZE, mem_limit },
	{ "MEM-USED", SIZE, mem_used },
	{ "SAME-PAGES", NUMBER, same_pages },
	{ "BACKING", SIZE, backing },
	{ "CLIENTS", NUMBER, clients },
	{ "SWAP", WORD, swap },
	{ "PID", WORD, pid },
	{ "VERSION", WORD, version },
	{ "UPTIME", NUMBER, uptime },
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

static const char usual[] = "NAME,DISKSIZE,DATA,COMPR,TOTAL,RATIO,ALGORITHM,DEVICE,SOCKET";

static const struct column *find_column(const char *text, size_t len)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (strlen(columns[i].name) == len && !strncasecmp(columns[i].name, text, len))
			return &columns[i];
	return NULL;
}

static int explain_column(const char *text, size_t len, char why[ASK_WHY_MAX])
{
	int used = snprintf(why, ASK_WHY_MAX, "there is no column %.*s: use", (int)len, text);

	for (size_t i = 0; i < COLUMN_COUNT && used > 0 && used < ASK_WHY_MAX; i++)
		used += snprintf(why + used, (size_t)(ASK_WHY_MAX - used), "%s %s", i ? "," : "",
				 columns[i].name);
	return -EINVAL;
}

/* How many there are, or -EINVAL. */
static int choose(const char *names, const struct column *chosen[COLUMNS_MAX],
		  char why[ASK_WHY_MAX])
{
	int count = 0;

	for (const char *text = names;; text++) {
		size_t len = strcspn(text, ",");
		const struct column *column = find_column(text, len);

		if (!column || count == COLUMNS_MAX)
			return explain_column(text, len, why);
		chosen[count++] = column;
		text += len;
		if (!*text)
			return count;
	}
}

static const char *show(const struct column *column, const struct disk *disk,
			const struct list_form *form, char text[CELL_MAX])
{
	struct cell cell = column->value(disk);

	switch (column->kind) {
	case WORD:
		snprintf(text, CELL_MAX, "%s", cell.word);
		break;
	case SIZE:
		if (!form->bytes && !form->raw && !form->json)
			return figure_size(text, cell.number);
		/* FALLTHROUGH */
	case NUMBER:
		snprintf(text, CELL_MAX, "%" PRIu64, cell.number);
		break;
	case RATIO:
		if (cell.ratio > 0)
			snprintf(text, CELL_MAX, "%.2f", cell.ratio);
		else /* in JSON nothing is null */
			strcpy(text, form->json ? "" : "none");
		break;
	}
	return text;
}

static int add_columns(struct libscols_table *table, const struct column *const *chosen, int count)
{
	for (int i = 0; i < count; i++) {
		bool word = chosen[i]->kind == WORD;
		struct libscols_column *made = scols_table_new_column(table, chosen[i]->name, 0,
								      word ? 0 : SCOLS_FL_RIGHT);

		if (!made)
			return -ENOMEM;
		scols_column_set_json_type(made, word ? SCOLS_JSON_STRING : SCOLS_JSON_NUMBER);
	}
	return 0;
}

static int add_row(struct libscols_table *table, const struct disk *disk,
		   const struct column *const *chosen, int count, const struct list_form *form)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[CELL_MAX];
	int err = line ? 0 : -ENOMEM;

	for (int i = 0; i < count && !err; i++)
		err = scols_line_set_data(line, (size_t)i, show(chosen[i], disk, form, text));
	return err;
}

static int fill(struct libscols_table *table, const struct disk *disks, size_t count,
		const struct column *const *chosen, int chosen_count, const struct list_form *form)
{
	int err = add_columns(table, chosen, chosen_count);

	for (size_t i = 0; i < count && !err; i++)
		if (disks[i].answers)
			err = add_row(table, &disks[i], chosen, chosen_count, form);
	return err;
}

int list_write(const struct disk *disks, size_t count, const struct list_form *form, FILE *out,
	       char why[ASK_WHY_MAX])
{
	const struct column *chosen[COLUMNS_MAX];
	int chosen_count = choose(form->columns ? form->columns : usual, chosen, why), err;
	struct libscols_table *table;

	if (chosen_count < 0)
		return chosen_count;
	table = scols_new_table();
	if (!table)
		return -ENOMEM;
	scols_table_set_stream(table, out);
	scols_table_set_name(table, "disks");
	scols_table_enable_raw(table, form->raw);
	scols_table_enable_json(table, form->json);
	scols_table_enable_noheadings(table, form->noheadings);
	err = fill(table, disks, count, chosen, chosen_count, form);
	if (!err && scols_table_get_nlines(table) == 0 && !form->raw && !form->json &&
	    !form->noheadings)
		fputs("none\n", out);
	else if (!err)
		err = scols_print_table(table);
	scols_unref_table(table);
	return err ? err : stream_finish(out);
}
