package event

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// reference reads a table of ../shared/reference; the test skips where that is absent.
func reference(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open("../../../shared/reference/" + name)
	if err != nil {
		t.Skip("needs the reference tables beside the project: ", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = '\t'
	r.LazyQuotes = true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, h := range rows[0] {
			m[h] = row[i]
		}
		out = append(out, m)
	}
	return out
}

var paramTypes = map[ParamType]string{
	TypeErrno: "ERRNO", TypeFd: "FD", TypePid: "PID", TypeCharbuf: "CHARBUF", TypeBytebuf: "BYTEBUF", TypeFspath: "FSPATH",
	TypeFsrelpath: "FSRELPATH", TypeUint32: "UINT32", TypeUint64: "UINT64", TypeDyn: "DYN", TypeSocktuple: "SOCKTUPLE",
}

// TestSchemaIsTheReference compares the generated tables with the reference, row by row.
func TestSchemaIsTheReference(t *testing.T) {
	rows := reference(t, "falco-events.tsv")
	if len(rows) != NumCodes {
		t.Fatalf("%d event codes, the reference has %d", NumCodes, len(rows))
	}
	for i, row := range rows {
		ty := Types()[i]
		var params []string
		if row["params(name:type:printfmt)"] != "" {
			params = strings.Split(row["params(name:type:printfmt)"], ", ")
		}
		if ty.PPME != row["ppme"] || ty.Name != strings.ReplaceAll(row["evt_type_name"], " ", "_") || len(ty.Params) != len(params) {
			t.Errorf("code %d: %s %s with %d parameters, want %v", i, ty.PPME, ty.Name, len(ty.Params), row)
			continue
		}
		if (row["status"] == "CURRENT") != (ty.Status == StatusCurrent) || (row["dir"] == ">") != ty.Enter {
			t.Errorf("code %d: status %d, enter %v, want %s %s", i, ty.Status, ty.Enter, row["status"], row["dir"])
		}
		for j, p := range params {
			w := strings.Split(p, ":")
			if ty.Params[j].Name != w[0] {
				t.Errorf("code %d parameter %d is %s, want %s", i, j, ty.Params[j].Name, p)
			}
			if name, ok := paramTypes[ty.Params[j].Type]; ok && name != w[1] {
				t.Errorf("code %d parameter %d has type %s, want %s", i, j, name, p)
			}
		}
	}
}

func TestSyscallsAreTheReference(t *testing.T) {
	rows := reference(t, "falco-syscalls.tsv")
	n := 0
	for _, c := range Syscalls() {
		if c.Name != "" {
			n++
		}
	}
	if n != len(rows) {
		t.Errorf("%d system calls, the reference has %d", n, len(rows))
	}
	state := 0
	for _, row := range rows {
		sc, _ := strconv.Atoi(row["ppm_sc_id"])
		c := Syscalls()[sc]
		if c.Name != row["name"] || c.State != (row["in_sinsp_state_set(default on)"] == "yes") ||
			c.Ignored != (row["ignored_unless_base_syscalls.all"] == "yes") || c.IO != (row["io_syscall"] == "yes") {
			t.Errorf("system call %d is %+v, want %v", sc, c, row)
		}
		if c.State {
			state++
		}
	}
	if state < 70 {
		t.Errorf("%d state system calls, want at least 70", state)
	}
}

func TestFlagTablesAreTheReference(t *testing.T) {
	for _, row := range reference(t, "falco-param-flags.tsv") {
		code, _ := strconv.Atoi(row["event_code"])
		ty := &Types()[code]
		p := ty.Params[ty.ParamIndex(row["param"])]
		if p.Flags == nil {
			t.Errorf("%s.%s has no flag table", ty.PPME, p.Name)
			continue
		}
		var got []string
		for _, s := range p.Flags.Symbols {
			got = append(got, fmt.Sprintf("%s=%#x", s.Name, s.Value))
		}
		if strings.Join(got, ",") != row["flag_names=values"] {
			t.Errorf("%s.%s: %v, want %s", ty.PPME, p.Name, got, row["flag_names=values"])
		}
	}
}

func TestResultParam(t *testing.T) {
	for _, c := range []struct {
		code Code
		want int
	}{{SyscallOpenatV2X, 0}, {SocketConnectX, 0}, {ProcexitV1E, -1}, {GenericX, -1}, {SyscallGeteuidX, -1}} {
		if got := Types()[c.code].ResultParam(); got != c.want {
			t.Errorf("%s: ResultParam() = %d, want %d", Types()[c.code].PPME, got, c.want)
		}
	}
}

func TestSyscallNumbers(t *testing.T) {
	for _, c := range []struct {
		sc   SC
		want [3]int16
	}{{SCOpenat, [3]int16{257, 56, 295}}, {SCExecve, [3]int16{59, 221, 11}}, {SCOpen, [3]int16{2, -1, 5}}, {SCUmount, [3]int16{-1, -1, 22}}} {
		if got := Syscalls()[c.sc].NR; got != c.want {
			t.Errorf("%s: NR = %v, want %v", Syscalls()[c.sc].Name, got, c.want)
		}
	}
}
