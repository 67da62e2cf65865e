/* posternctl policy add|delete. */
#include "rpc.h"

int cmd_policy_add(struct tool *t, const struct args *args)
{
	return rpc_change(t, "policy.add", args->params, "name", "is in force");
}

int cmd_policy_delete(struct tool *t, const struct args *args)
{
	return rpc_change(t, "policy.delete", args->params, "name", "is no longer in force");
}
