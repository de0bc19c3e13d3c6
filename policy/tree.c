/* The tree's beginning and end; see tree.h. */
#include "policy/tree.h"

void tree_init(struct tree *t)
{
    *t = (struct tree){.set.private_block = true};
    arena_init(&t->mem, LIM_POLICY_TREE_BYTES);
    t->zones.last = &t->zones.first;
    t->groups.last = &t->groups.first;
    t->categories.last = &t->categories.first;
    t->hosts.last = &t->hosts.first;
    t->services.last = &t->services.first;
    t->users.last = &t->users.first;
    t->nodes.last = &t->nodes.first;
    t->rules.last = &t->rules.first;
    t->expects.last = &t->expects.first;
    t->schedules.last = &t->schedules.first;
    t->delegates.last = &t->delegates.first;
    t->observes.last = &t->observes.first;
    map_init(&t->zone_map, 0);
    map_init(&t->schedule_map, 0);
    map_init(&t->group_map, 0);
    map_init(&t->category_map, 0);
    map_init(&t->host_map, 0);
    map_init(&t->service_map, 0);
    map_init(&t->user_map, 0);
}

void tree_fini(struct tree *t)
{
    map_fini(&t->zone_map);
    map_fini(&t->schedule_map);
    map_fini(&t->group_map);
    map_fini(&t->category_map);
    map_fini(&t->host_map);
    map_fini(&t->service_map);
    map_fini(&t->user_map);
    arena_fini(&t->mem);
}
