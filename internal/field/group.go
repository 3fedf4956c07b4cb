package field

import "github.com/saker-sec/saker/internal/state"

// group is the class of fields that describe the group of the event's thread.
func group() *Class {
	return &Class{
		Name:   "group",
		Doc:    "The group that the thread of the event acts as.",
		Source: "syscall",
		Fields: []Field{
			{
				Name: "group.gid", Type: UINT32, Doc: "Id of the group.",
				Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.GID) }),
			},
			{Name: "group.name", Type: CHARBUF, Doc: "Name of the group.", Bind: ofUser(func(c *state.Ctx) string {
				name, known := groupName(c, c.Thread.GID)
				return accountName(c.Thread.GID, name, known)
			})},
		},
	}
}
