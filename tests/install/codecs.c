/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program of others with the installed codecs: each writes a page and reads it back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <codec.h>

static int write_and_read(const struct codec *codec, const unsigned char *page)
{
	static unsigned char payload[CODEC_BOUND_MAX], back[CODEC_PAGE_SIZE];
	size_t size = (codec->workspace_size[CODEC_FAST] + 63) & ~(size_t)63;
	void *workspace = NULL;
	int len;

	if (size) {
		workspace = aligned_alloc(64, size);
		if (!workspace)
			return 1;
		memset(workspace, 0, size);
	}
	len = codec->compress(CODEC_FAST, workspace, page, payload);
	free(workspace);
	if (len < 0 || codec->decompress(payload, (size_t)len, back, 0))
		return 1;
	printf("%s: %u to %d bytes\n", codec->name, CODEC_PAGE_SIZE, len);
	return memcmp(page, back, CODEC_PAGE_SIZE) != 0;
}

int main(void)
{
	static unsigned char page[CODEC_PAGE_SIZE];

	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (unsigned char)(i / 7);
	if (!codecs[0] || codec_find(codecs[0]->name) != codecs[0])
		return 1;
	for (int i = 0; codecs[i]; i++)
		if (write_and_read(codecs[i], page))
			return 1;
	return 0;
}
