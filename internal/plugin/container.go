package plugin

// containerPlugin is the plugin that tells to which container a process belongs. Its fields are in every catalogue, and the
// state finds the containers in the control groups; the events named container and container_removed, which captures of
// Falco hold, tell of others.
func containerPlugin() Plugin {
	return Plugin{
		Name: Container, Version: "0.7.1", Contact: contact,
		Description:  "Container identity from the kernel's control groups, part of the engine",
		Capabilities: Extraction | Parsing | Async,
		AsyncNames:   []string{"container", "container_removed"},
		config:       containerConfig(),
	}
}

// containerConfig is what Falco's plugin can be told (falco-core.md §6.4).
func containerConfig() setting {
	enabled := setting{name: "enabled", kind: truth, doc: "Whether containers of this runtime are recognised."}
	plain := func(name string) setting { return setting{name: name, kind: object, keys: []setting{enabled}} }
	asked := func(name string) setting {
		sockets := setting{name: "sockets", kind: list, doc: "Sockets of the runtime, below HOST_ROOT; the usual ones if left out."}
		return setting{name: name, kind: object, keys: []setting{enabled, sockets}}
	}
	return setting{kind: object, keys: []setting{
		{name: "label_max_len", kind: whole, doc: "Longer labels of containers are left out. 100 by default."},
		{name: "with_size", kind: truth, doc: "Whether runtimes are asked for the size of containers, which takes them long."},
		{name: "hooks", kind: list, values: []string{"create", "start"}, doc: "When a runtime tells of a container. By default create, before its first process."},
		{name: "log_level", kind: text, values: []string{"trace", "debug", "info", "warn", "error"}, doc: "How much is logged about runtimes. By default warn."},
		{name: "engines", kind: object, doc: "The container runtimes.", keys: []setting{
			asked("docker"), asked("podman"), asked("containerd"), asked("cri"), plain("lxc"), plain("libvirt_lxc"), plain("bpm"),
			{
				name: "static", kind: object, doc: "One container that everything belongs to.",
				whenEnabled: []string{"container_id", "container_name", "container_image"},
				keys: []setting{
					enabled, {name: "container_id", kind: text}, {name: "container_name", kind: text}, {name: "container_image", kind: text},
				},
			},
		}},
	}}
}
