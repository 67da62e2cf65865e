/* postern-map: what the documents say of the data path, made from the code: the drawing and the
 * list of nodes in docs/packet-walk.md (from graph.c's map) and docs/drops.md (from drop.def).
 *
 *   postern-map --write DOCS   writes both
 *   postern-map --check DOCS   says which is out of date; exit 1 when one is
 *
 * Run by ninja docs-generate, and as a test. Needs no EAL.
 */
#include "dp/drop.h"
#include "dp/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 64
#define BEGIN "<!-- begin: made by postern-map -->\n"
#define END "<!-- end: made by postern-map -->\n"

/* Ways that are no edges of the graph: over a ring, or by waiting. */
static const struct {
	const char *from, *to, *how;
} ring[] = {
	{"spread", "handoff_rx", "another worker"},
	{"port_tx", "handoff_rx", "another worker"},
	{"esp_in", "handoff_rx", "the SA's owner"},
	{"ah_in", "handoff_rx", "the SA's owner"},
	{"esp_out", "handoff_rx", "the SA's owner"},
	{"ah_out", "handoff_rx", "the SA's owner"},
	{"neigh_wait", "neigh_ready", "until the neighbour is settled"},
	{"arp_input", "control", "punt"},
	{"control", "inject_rx", "inject"},
};

static bool is_node(const struct graph_node_info *node, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(node[i].name, name) == 0)
			return true;
	return strcmp(name, "control") == 0;
}

static void drawing(FILE *f, const struct graph_node_info *node, unsigned n)
{
	fprintf(f, "```mermaid\nflowchart TD\n");
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(node[i].name, "drop") == 0)
			continue; /* nearly all lead there: the table says which */
		fprintf(f, node[i].source ? "    %s([%s])\n" : "    %s[%s]\n", node[i].name,
			node[i].name);
	}
	fprintf(f, "    control{{control core}}\n");
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < node[i].n_next; k++)
			if (strcmp(node[i].next[k], "drop") != 0)
				fprintf(f, "    %s --> %s\n", node[i].name, node[i].next[k]);
	for (unsigned i = 0; i < sizeof(ring) / sizeof(ring[0]); i++) {
		if (!is_node(node, n, ring[i].from) || !is_node(node, n, ring[i].to)) {
			fprintf(stderr, "postern-map: ring[] names a node that is gone: %s, %s\n",
				ring[i].from, ring[i].to);
			exit(2);
		}
		fprintf(f, "    %s -. %s .-> %s\n", ring[i].from, ring[i].how, ring[i].to);
	}
	fprintf(f, "```\n");
}

static void map(FILE *f)
{
	static struct graph_node_info node[NODES_MAX];
	unsigned n = graph_nodes(NULL, node, NODES_MAX);

	drawing(f, node, n);
	fprintf(f, "\n| node | what it does | goes on to |\n|---|---|---|\n");
	for (unsigned i = 0; i < n; i++) {
		fprintf(f, "| `%s`%s | %s | ", node[i].name, node[i].source ? " (source)" : "",
			node[i].sentence);
		for (unsigned k = 0; k < node[i].n_next; k++)
			fprintf(f, "%s`%s`", k ? ", " : "", node[i].next[k]);
		fprintf(f, "%s |\n", node[i].n_next ? "" : "nowhere");
	}
}

static void drops(FILE *f)
{
	const char *room = "";

	fprintf(f,
		"# Why packets are dropped\n\n"
		"Made by postern-map from `lib/dp/drop.def`; `ninja docs-generate` writes it "
		"anew.\n\n"
		"A packet that Postern drops has exactly one of these reasons. `posternctl show "
		"drops` counts them,\n`posternctl show drops --sample` shows the last packets of "
		"each, and `log.drops` in the configuration\nnames those that are logged.\n");
	for (unsigned i = 1; i < DROP_N; i++) {
		if (strcmp(room, drop_text[i].room) != 0)
			fprintf(f, "\n## %s\n\n| reason | meaning |\n|---|---|\n",
				drop_text[i].room);
		room = drop_text[i].room;
		fprintf(f, "| `%s` | %s |\n", drop_text[i].name, drop_text[i].sentence);
	}
}

/* What a writer writes, as text. */
static char *text_of(void (*write)(FILE *))
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	write(f);
	fclose(f);
	return text;
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (f == NULL || getdelim(&text, &size, '\0', f) < 0) {
		perror(path);
		free(text);
		text = strdup("");
	}
	if (f)
		fclose(f);
	return text;
}

/* The document with what stands between the marks replaced. NULL without marks. */
static char *replace(const char *doc, const char *made)
{
	const char *begin = strstr(doc, BEGIN), *end = begin ? strstr(begin, END) : NULL;
	char *out = NULL;

	if (end == NULL)
		return NULL;
	if (asprintf(&out, "%.*s%s%s%s", (int)(begin - doc), doc, BEGIN, made, end) < 0)
		exit(2);
	return out;
}

/* 0 when the file says what it should, or was made to. */
static int settle(const char *path, const char *is, const char *should, bool write)
{
	FILE *f;

	if (strcmp(is, should) == 0)
		return 0;
	if (!write) {
		fprintf(stderr,
			"%s is not what the code says; write it anew: ninja docs-generate\n", path);
		return 1;
	}
	f = fopen(path, "we");
	if (f == NULL || fputs(should, f) < 0 || fclose(f) != 0) {
		perror(path);
		return 1;
	}
	printf("%s written\n", path);
	return 0;
}

int main(int argc, char **argv)
{
	bool write = argc == 3 && strcmp(argv[1], "--write") == 0;
	char path[2][4096], *doc, *list, *should, *made = text_of(map),
						  *made_drops = text_of(drops);
	int ret;

	if (argc != 3 || (!write && strcmp(argv[1], "--check") != 0)) {
		fprintf(stderr, "usage: postern-map --write|--check DOCS\n");
		return 2;
	}
	snprintf(path[0], sizeof(path[0]), "%s/packet-walk.md", argv[2]);
	snprintf(path[1], sizeof(path[1]), "%s/drops.md", argv[2]);
	doc = slurp(path[0]);
	list = slurp(path[1]);
	should = replace(doc, made);
	if (should == NULL) {
		fprintf(stderr, "%s has no lines\n%s%s", path[0], BEGIN, END);
		ret = 1;
	} else {
		ret = settle(path[0], doc, should, write);
	}
	ret |= settle(path[1], list, made_drops, write);
	free(doc);
	free(list);
	free(should);
	free(made);
	free(made_drops);
	return ret;
}
