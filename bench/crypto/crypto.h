/* What the parts of bench-crypto share. One thread. */
#pragma once

#include "ipsec/mb_parts.h"

#define OPS 64      /* packets in a burst, and all there are: warm */
#define BUFFER 2176 /* apart, as packet buffers are */
#define ROUNDS_MAX 15

enum size { SIZE_64, SIZE_1438, SIZE_IMIX, SIZES };

/* The packets of one suite, size and direction. */
struct sample {
	struct suite suite;
	struct sa *sa; /* n_sas of them, alike but for their keys' place in memory */
	unsigned n_sas, next;
	struct mb_op op[OPS];
	uint8_t icv[OPS][SUITE_ICV_MAX]; /* AH, inbound */
	unsigned bytes;                  /* of all IP packets */
};

/* Fills it; the operations may be run again and again (contents change, cost does not). */
void sample_make(struct sample *s, const struct suite *suite, uint8_t proto, enum size size,
	bool in, unsigned n_sas);
/* Other SAs for the operations, as packets of many SAs bring them: the next ones, in an order that
 * memory does not foresee. */
void sample_next(struct sample *s);
void sample_free(struct sample *s);
unsigned sample_ip_len(enum size size, unsigned i); /* of the IP packet */
struct sa *sample_sas(unsigned n);                  /* zeroed; free() */

/* Ways to ask the library itself. */
enum raw_way { RAW_DIRECT, RAW_JOB, RAW_BURST, RAW_TWO_BURSTS, RAW_WAYS };
extern const char *const raw_name[RAW_WAYS];

struct raw;
struct raw *raw_new(void);
void raw_free(struct raw *r);
/* Prepares whatever can be; false: the library has no such way for that suite. */
bool raw_prepare(struct raw *r, enum raw_way way, struct sample *s);
/* Cycles for passes times OPS operations. Lanes stay full between the bursts of jobs. */
uint64_t raw_run(struct raw *r, enum raw_way way, struct sample *s, unsigned passes);

/* ESP and AH as a whole. */
struct esp;
struct esp *esp_new(void);
void esp_free(struct esp *e);
void esp_make(struct esp *e, const struct sample *s, enum size size); /* the SAs */
void esp_drop(struct esp *e);
/* Cycles for passes times OPS packets, in bursts of so many. */
uint64_t esp_run(struct esp *e, struct mb *mb, unsigned passes, unsigned burst);

void die(const char *what, const char *why) __attribute__((noreturn));
