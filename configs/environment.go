package configs

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// The variables that stand in for command line flags of the same meaning.
const (
	configVariable = envPrefix + "CONFIG"
	presetVariable = envPrefix + "PRESET"
)

const (
	// testPrefix begins the variables that only SARK's own tests read.
	testPrefix = envPrefix + "TEST_"
	fileEnv    = "_FILE"
)

// serviceLink matches the variables that Kubernetes sets in every pod for a
// Service whose name begins with "sark". They are not settings.
var serviceLink = regexp.MustCompile(`^SARK_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// servicePort matches the one such variable whose name alone could be a
// setting; its value is an address like tcp://10.0.0.1:8080.
var servicePort = regexp.MustCompile(`^SARK_([A-Z0-9_]+_)?PORT=(tcp|udp|sctp)://`)

// environMap turns NAME=value pairs into a map. As in a process, the first of
// two pairs with one name counts.
func environMap(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if _, seen := env[name]; !seen {
			env[name] = value
		}
	}
	return env
}

// environment reads the variables of all settings and refuses SARK_ variables
// that are none.
func (r *reader) environment(schema *node, env map[string]string) layer {
	l, set := r.newLayer()
	known := map[string]bool{configVariable: true, presetVariable: true}
	schema.leaves(func(n *node) {
		r.variables(n, env, set)
		known[n.Env] = true
		if n.Secret {
			known[n.Env+fileEnv] = true
		}
	})
	r.source = Origin{}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, envPrefix) && !known[name] && !foreign(name, env[name]) {
			r.complain(name, "unknown variable%s", suggest(name, slices.Collect(maps.Keys(known))))
		}
	}
	return l
}

// foreign tells whether a variable that begins with SARK_ is none of ours.
func foreign(name, value string) bool {
	return strings.HasPrefix(name, testPrefix) || serviceLink.MatchString(name) || servicePort.MatchString(name+"="+value)
}

// spelling is one variable that sets a key.
type spelling struct {
	variable string
	value    any
}

// variables reads all spellings of one key. The first wins; one that says
// something else is worth a warning.
func (r *reader) variables(n *node, env map[string]string, set setter) {
	var found []spelling
	for _, variable := range append([]string{n.Env}, n.Aliases...) {
		if env[variable] == "" {
			continue
		}
		r.source = Origin{Layer: LayerEnvironment, Name: variable}
		r.text(n, env[variable], func(_ *node, value any) {
			found = append(found, spelling{variable, value})
		})
	}
	if file := env[n.Env+fileEnv]; n.Secret && file != "" {
		found = r.fileVariable(n, file, found)
	}
	if len(found) == 0 {
		return
	}
	r.source = Origin{Layer: LayerEnvironment, Name: found[0].variable}
	set(n, found[0].value)
	for _, other := range found[1:] {
		if !reflect.DeepEqual(other.value, found[0].value) {
			r.warn("%s: %s and %s disagree; %s wins", n.Path, found[0].variable, other.variable, found[0].variable)
		}
	}
}

// fileVariable reads a secret from the file that its _FILE variable names.
func (r *reader) fileVariable(n *node, file string, found []spelling) []spelling {
	r.source = Origin{Layer: LayerEnvironment, Name: n.Env + fileEnv}
	if len(found) > 0 {
		r.complain(n.Path, "set either %s or %s, not both", found[0].variable, r.source.Name)
		return found
	}
	r.secretFile(n, file, n.Path, func(_ *node, value any) {
		found = append(found, spelling{r.source.Name, value})
	})
	return found
}
