package awssecuritylake

import "github.com/saker-sec/saker/internal/alert"

// number is a column that is the same in all rows.
func number(path string, k kind, n int64) column {
	return column{path, k, func(*alert.Alert) []cell { return []cell{{number: n}} }}
}

// text is a column that is the same in all rows.
func text(path, s string) column {
	return column{path, kindText, func(*alert.Alert) []cell { return []cell{{text: s}} }}
}

// of is a column that is a text of the alert.
func of(path string, f func(*alert.Alert) string) column {
	return column{path, kindText, func(a *alert.Alert) []cell { return []cell{{text: f(a)}} }}
}

// when is a column that is the alert's time, in milliseconds since 1970.
func when(path string) column {
	return column{path, kindInt64, func(a *alert.Alert) []cell { return []cell{{number: a.Time.UnixMilli()}} }}
}

func rule(a *alert.Alert) string   { return a.Rule }
func uuid(a *alert.Alert) string   { return a.UUID }
func output(a *alert.Alert) string { return a.OutputText() }
func raw(a *alert.Alert) string    { return string(a.AppendSidekick(nil)) }

func source(a *alert.Alert) []cell { return []cell{{text: a.Source}} }

func tags(a *alert.Alert) []cell {
	cells := make([]cell, len(a.Tags))
	for i, t := range a.Tags {
		cells[i].text = t
	}
	return cells
}

// observable is what was seen beside the rule: the host, and the fields.
type observable struct{ name, value string }

// observables returns the host and the fields that have a value. Falcosidekick leaves out numbers and all else that is no
// text.
func observables(a *alert.Alert) []observable {
	var list []observable
	if a.Hostname != "" {
		list = append(list, observable{"hostname", a.Hostname})
	}
	for _, f := range a.SortedFields() {
		if f.Value.Kind != alert.Null {
			list = append(list, observable{f.Key, f.Value.String()})
		}
	}
	return list
}

// observableColumns are the same in both schemas; the type is always "Other".
func observableColumns() []column {
	each := func(path string, k kind, f func(observable) cell) column {
		return column{"observables[]." + path, k, func(a *alert.Alert) []cell {
			list := observables(a)
			cells := make([]cell, len(list))
			for i, o := range list {
				cells[i] = f(o)
			}
			return cells
		}}
	}
	return []column{
		each("name", kindText, func(o observable) cell { return cell{text: o.name} }),
		each("type", kindText, func(observable) cell { return cell{text: "Other"} }),
		each("type_id", kindInt32, func(observable) cell { return cell{} }),
		each("value", kindText, func(o observable) cell { return cell{text: o.value} }),
	}
}

// severity returns OCSF's number and name for a priority.
func severity(p alert.Priority) (int64, string) {
	switch p {
	case alert.Emergency, alert.Alarm:
		return 6, "Fatal"
	case alert.Critical:
		return 5, "Critical"
	case alert.Error:
		return 4, "High"
	case alert.Warning:
		return 3, "Medium"
	case alert.Notice:
		return 2, "Low"
	}
	return 1, "Informational"
}

func severityColumns() []column {
	return []column{
		of("severity", func(a *alert.Alert) string { _, s := severity(a.Priority); return s }),
		{"severity_id", kindInt32, func(a *alert.Alert) []cell { n, _ := severity(a.Priority); return []cell{{number: n}} }},
	}
}

// securityFinding is the class 2001 of OCSF 0.1.0, in Falcosidekick's columns. It names one of them "classname".
func securityFinding() []column {
	columns := []column{
		number("activity_id", kindInt32, 1),
		text("activity_name", "Generate"),
		text("category_name", "Findings"),
		number("category_uid", kindInt32, 2),
		text("classname", "Security Finding"),
		number("class_uid", kindInt32, 2001),
		when("finding.created_time"),
		of("finding.desc", output),
		of("finding.title", rule),
		{"finding.types[]", kindText, source},
		of("finding.uid", uuid),
		of("message", rule),
		text("metadata.version", "0.1.0"),
		text("metadata.product.vendor_name", "Falcosecurity"),
		text("metadata.product.name", "Falco"),
		{"metadata.labels[]", kindText, tags},
	}
	columns = append(append(append(columns, observableColumns()...), of("raw_data", raw)), severityColumns()...)
	return append(columns,
		text("state", "New"),
		number("state_id", kindInt32, 1),
		of("status", func(a *alert.Alert) string { return a.Priority.String() }),
		when("time"),
		text("type_name", "Security Finding: Generate"),
		number("type_uid", kindInt32, 200101),
	)
}

// detectionFinding is the class 2004 of OCSF 1.1.0 (schema.ocsf.io), which has taken the place of class 2001.
func detectionFinding() []column {
	columns := []column{
		number("activity_id", kindInt32, 1),
		text("activity_name", "Create"),
		text("category_name", "Findings"),
		number("category_uid", kindInt32, 2),
		text("class_name", "Detection Finding"),
		number("class_uid", kindInt32, 2004),
		text("finding_info.analytic.type", "Rule"),
		number("finding_info.analytic.type_id", kindInt32, 1),
		of("finding_info.analytic.name", rule),
		when("finding_info.created_time"),
		{"finding_info.data_sources[]", kindText, source},
		of("finding_info.desc", output),
		of("finding_info.title", rule),
		of("finding_info.uid", uuid),
		of("message", output),
		text("metadata.version", "1.1.0"),
		text("metadata.product.vendor_name", "Falcosecurity"),
		text("metadata.product.name", "Falco"),
		of("metadata.uid", uuid),
		of("metadata.log_level", func(a *alert.Alert) string { return a.Priority.String() }),
		{"metadata.labels[]", kindText, tags},
	}
	columns = append(append(append(columns, observableColumns()...), of("raw_data", raw)), severityColumns()...)
	return append(columns,
		text("status", "New"),
		number("status_id", kindInt32, 1),
		when("time"),
		text("type_name", "Detection Finding: Create"),
		number("type_uid", kindInt64, 200401),
	)
}
