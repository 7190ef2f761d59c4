/* SPDX-License-Identifier: MIT */
/* States: to copy one, to go back to one, to know one again. */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define ROOM (1u << 16) /* to begin with; a power of 2 */

/* ---- copies ---- */

static struct {
	unsigned char *data;
	size_t size, room;
} image;

static void save_part(void *at, size_t size)
{
	while (image.size + size > image.room) {
		image.room = image.room * 2 + 65536;
		image.data = realloc(image.data, image.room);
		if (!image.data)
			abort();
	}
	memcpy(image.data + image.size, at, size);
	image.size += size;
}

unsigned char *states_copy(race_walk *walk)
{
	unsigned char *copy;

	image.size = 0;
	walk(save_part);
	copy = malloc(image.size);
	if (!copy)
		abort();
	return memcpy(copy, image.data, image.size);
}

static const unsigned char *loading;

static void load_part(void *at, size_t size)
{
	memcpy(at, loading, size);
	loading += size;
}

void states_load(const unsigned char *copy, race_walk *walk)
{
	loading = copy;
	walk(load_part);
}

/* ---- digests ---- */

static uint64_t digest[4];

static void digest_word(uint32_t lane, const unsigned char *at, size_t size)
{
	uint64_t word = 0;

	memcpy(&word, at, size);
	digest[lane] = (digest[lane] ^ word) * 0x9e3779b97f4a7c15u;
	digest[lane] ^= digest[lane] >> 29;
}

/* In four lanes, for a processor multiplies several at once. */
static void digest_part(void *at, size_t size)
{
	const unsigned char *bytes = at;

	for (; size >= 32; size -= 32, bytes += 32)
		for (uint32_t lane = 0; lane < 4; lane++)
			digest_word(lane, bytes + (size_t)8 * lane, 8);
	for (uint32_t lane = 0; size; lane++) {
		size_t some = size < 8 ? size : 8;

		digest_word(lane, bytes, some);
		bytes += some;
		size -= some;
	}
}

void states_digest(race_walk *walk, uint64_t key[2])
{
	for (uint64_t lane = 0; lane < 4; lane++)
		digest[lane] = lane + 1;
	walk(digest_part);
	key[0] = digest[0] ^ (digest[1] << 32 | digest[1] >> 32);
	key[1] = digest[2] * 0xd6e8feb86659fd93u ^ digest[3] ^ digest[1];
}

/* ---- those that have been met ---- */

static struct {
	uint64_t (*entry)[2];
	uint64_t count, room;
} met;

static bool meet(const uint64_t key[2])
{
	uint64_t n = key[0] & (met.room - 1);

	for (; met.entry[n][0] || met.entry[n][1]; n = (n + 1) & (met.room - 1))
		if (met.entry[n][0] == key[0] && met.entry[n][1] == key[1])
			return false;
	met.entry[n][0] = key[0];
	met.entry[n][1] = key[1];
	met.count++;
	return true;
}

static void make_room(uint64_t room)
{
	uint64_t(*old)[2] = met.entry, before = met.room;

	met.entry = calloc(room, sizeof(*met.entry));
	met.room = room;
	met.count = 0;
	if (!met.entry)
		abort();
	for (uint64_t n = 0; n < before; n++)
		if (old[n][0] || old[n][1])
			meet(old[n]);
	free(old);
}

void states_begin(void)
{
	make_room(ROOM);
}

void states_end(void)
{
	free(met.entry);
	memset(&met, 0, sizeof(met));
}

bool states_is_new(race_walk *walk)
{
	uint64_t key[2];

	states_digest(walk, key);
	if (met.count * 2 >= met.room)
		make_room(met.room * 2);
	return meet(key);
}
