package field

import "github.com/saker-sec/saker/internal/state"

// user is the class of fields that describe the user of the event's thread.
func user() *Class {
	return &Class{
		Name:   "user",
		Doc:    "The user that the thread of the event acts as, and the one who logged in.",
		Source: "syscall",
		Fields: []Field{
			{
				Name: "user.uid", Type: UINT32, Doc: "Id of the user.",
				Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.UID) }),
			},
			{Name: "user.name", Type: CHARBUF, Doc: "Name of the user.", Bind: ofUser(func(c *state.Ctx) string {
				name, known := userName(c, c.Thread.UID)
				return accountName(c.Thread.UID, name, known)
			})},
			{
				Name: "user.homedir", Type: CHARBUF,
				Doc: "Home directory of the user.",
				Bind: ofUser(func(c *state.Ctx) string {
					if u, ok := c.State.User(c.Thread.UID, c.Thread.ContainerID); ok {
						return u.Home
					}
					if c.Thread.UID == 0 {
						return "/root"
					}
					return "<NA>"
				}),
			},
			{Name: "user.shell", Type: CHARBUF, Doc: "Login shell of the user.", Bind: ofUser(func(c *state.Ctx) string {
				if u, ok := c.State.User(c.Thread.UID, c.Thread.ContainerID); ok {
					return u.Shell
				}
				return "<NA>"
			})},
			{
				Name: "user.loginuid", Type: INT64, Doc: "Id of the user who logged in (audit uid), -1 if nobody did.",
				Bind: numberOfThread(func(t *state.Thread) uint64 {
					if t.LoginUID == noID {
						return 1<<64 - 1
					}
					return uint64(t.LoginUID)
				}),
			},
			{
				Name: "user.loginname", Type: CHARBUF,
				Doc: "Name of the user who logged in.",
				Bind: ofUser(func(c *state.Ctx) string {
					name, known := userName(c, c.Thread.LoginUID)
					return accountName(c.Thread.LoginUID, name, known)
				}),
			},
		},
	}
}

// ofUser is the Bind of a text that is looked up by an id of the thread.
func ofUser(f func(*state.Ctx) string) binder {
	return text(costBuild, func(c *state.Ctx) (string, bool) {
		if c.Thread == nil {
			return "", false
		}
		return f(c), true
	})
}

// accountName returns the name of a user or group that is known, even an empty one, or else what stands for it: 0 is root everywhere.
func accountName(id uint32, name string, known bool) string {
	switch {
	case known:
		return name
	case id == 0:
		return "root"
	}
	return "<NA>"
}

// userName returns the name of a user in the thread's container, if the user is known.
func userName(c *state.Ctx, id uint32) (string, bool) {
	u, ok := c.State.User(id, c.Thread.ContainerID)
	return u.Name, ok
}

// groupName returns the name of a group in the thread's container, if the group is known.
func groupName(c *state.Ctx, id uint32) (string, bool) {
	g, ok := c.State.Group(id, c.Thread.ContainerID)
	return g.Name, ok
}
