/* show.version: which program runs, since when, with which configuration. Control core. */
#include "ctl/api.h"

#include <rte_version.h>
#include <time.h>
#include <unistd.h>

static json_t *run(struct ctl_env *env, json_t *params, struct api_error *error)
{
	const struct root *root = env->shared ? atomic_load(&env->shared->root) : NULL;
	time_t up = time(NULL) - env->started;

	return json_pack("{s:o, s:s, s:i, s:o, s:I, s:o, s:I, s:I, s:I, s:o, s:{s:o, s:I, s:I}}", //
		"version", text_json(env->version),                                               //
		"dpdk", rte_version(),                                                            //
		"pid", (int)getpid(),                                                             //
		"started", api_time(env->started),                                                //
		"uptime_s", (json_int_t)(up > 0 ? up : 0),                                        //
		"config", text_json(env->config_path),                                            //
		"generation", (json_int_t)(root ? root->generation : 0),                          //
		"reloads", (json_int_t)env->reloads,                                              //
		"reloads_failed", (json_int_t)env->reloads_failed,                                //
		"reloaded", api_time(env->reloaded),                                              //
		"memory", "mode", text_json(env->memory.mode), "mb", (json_int_t)env->memory.mb,
		"mbufs", (json_int_t)env->memory.mbufs);
}

const struct api_method api_version = {.name = "show.version", .run = run};
