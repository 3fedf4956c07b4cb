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
				return accountName(c.Thread.UID, userName(c, c.Thread.UID))
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
					return accountName(c.Thread.LoginUID, userName(c, c.Thread.LoginUID))
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

// accountName returns the name, or what stands for an unknown one: 0 is root everywhere.
func accountName(id uint32, name string) string {
	switch {
	case name != "":
		return name
	case id == 0:
		return "root"
	}
	return "<NA>"
}

// userName returns the name of a user in the thread's container, "" if it is not known.
func userName(c *state.Ctx, id uint32) string {
	u, _ := c.State.User(id, c.Thread.ContainerID)
	return u.Name
}

// groupName returns the name of a group in the thread's container, "" if it is not known.
func groupName(c *state.Ctx, id uint32) string {
	g, _ := c.State.Group(id, c.Thread.ContainerID)
	return g.Name
}
