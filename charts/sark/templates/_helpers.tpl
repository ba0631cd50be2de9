{{- define "sark.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of everything: that of the release, with the chart's where it does not hold it. 52: a StatefulSet adds to it. */}}
{{- define "sark.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "sark.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "sark.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sark.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "sark.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{/* What selects the pods. It must never change. */}}
{{- define "sark.selector" -}}
app.kubernetes.io/name: {{ include "sark.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sark.labels" -}}
{{ include "sark.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "sark.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end -}}

{{/* The file sark.yaml: config, and authz.bundle where the chart mounts a policy. */}}
{{- define "sark.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and .Values.policy (not (dig "authz" "bundle" "" $config)) -}}
{{- $config = merge $config (dict "authz" (dict "bundle" "/etc/sark/policy")) -}}
{{- end -}}
{{ toYaml $config }}
{{- end -}}

{{/* The port of an address that others can reach, and a failure for any other: probes and Services could not. */}}
{{- define "sark.port" -}}
{{- if not (regexMatch "^(0\\.0\\.0\\.0|\\[::\\])?:[0-9]+$" .address) -}}
{{- fail (printf "config.%s: %q cannot be reached from outside of the pod: write :PORT" .key .address) -}}
{{- end -}}
{{ regexFind "[0-9]+$" .address }}
{{- end -}}

{{- define "sark.proxyPort" -}}
{{ include "sark.port" (dict "key" "proxy.listen" "address" (toString .Values.config.proxy.listen)) }}
{{- end -}}

{{- define "sark.adminPort" -}}
{{ include "sark.port" (dict "key" "admin.listen" "address" (toString .Values.config.admin.listen)) }}
{{- end -}}

{{/* The port of the management API, or nothing while it listens inside of the pod only. */}}
{{- define "sark.apiPort" -}}
{{- $address := dig "api" "listen" "" .Values.config | toString -}}
{{- if regexMatch "^(0\\.0\\.0\\.0|\\[::\\])?:[0-9]+$" $address -}}
{{ regexFind "[0-9]+$" $address }}
{{- end -}}
{{- end -}}

{{/* A duration of the configuration in seconds. */}}
{{- define "sark.seconds" -}}
{{- $text := toString . -}}
{{- if regexMatch "^[0-9]+$" $text -}}
{{ $text }}
{{- else if regexMatch "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$" $text -}}
{{- $h := regexFind "[0-9]+h" $text | trimSuffix "h" | default "0" -}}
{{- $m := regexFind "[0-9]+m" $text | trimSuffix "m" | default "0" -}}
{{- $s := regexFind "[0-9]+s" $text | trimSuffix "s" | default "0" -}}
{{ add (mul 3600 (atoi $h)) (mul 60 (atoi $m)) (atoi $s) }}
{{- else -}}
{{- fail (printf "config.proxy.drain_timeout: %q: write whole seconds, minutes or hours" $text) -}}
{{- end -}}
{{- end -}}

{{/* Nine tenths of the memory limit, for GOMEMLIMIT. */}}
{{- define "sark.memory" -}}
{{- $n := regexFind "^[0-9]+" . | atoi -}}
{{- if hasSuffix "Gi" . -}}{{- $n = mul 1024 $n -}}{{- end -}}
{{ div (mul 9 $n) 10 }}MiB
{{- end -}}
