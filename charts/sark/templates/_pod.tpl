{{/* The pod, for StatefulSet and Deployment alike. It fits the Pod Security Standard "restricted". */}}
{{- define "sark.pod" -}}
metadata:
  labels:
    {{- include "sark.selector" . | nindent 4 }}
    {{- with merge (deepCopy .Values.podLabels) .Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or .Values.podAnnotations .Values.restartOnChange }}
  annotations:
    {{- if .Values.restartOnChange }}
    checksum/config: {{ include "sark.config" . | sha256sum }}
    checksum/policy: {{ toYaml .Values.policy | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "sark.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # proxy.drain_timeout, and what the audit trail needs after it.
  terminationGracePeriodSeconds: {{ add 10 (include "sark.seconds" .Values.config.proxy.drain_timeout) }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: sark
      image: {{ include "sark.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [sark]
      args: [serve]
      # Why a start failed, such as a mistake in the configuration, stands in the status of the pod.
      terminationMessagePolicy: FallbackToLogsOnError
      env:
        # For `kubectl exec` too: sark finds there what the gateway runs on.
        - {name: SARK_CONFIG, value: /etc/sark/config/sark.yaml}
        {{- with dig "limits" "memory" "" .Values.resources }}
        - {name: GOMEMLIMIT, value: {{ include "sark.memory" . }}}
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - {name: mcp, containerPort: {{ include "sark.proxyPort" . }}}
        - {name: admin, containerPort: {{ include "sark.adminPort" . }}}
        {{- with include "sark.apiPort" . }}
        - {name: api, containerPort: {{ . }}}
        {{- end }}
      # A start waits for a lock of the data directory and for the schema of the database.
      startupProbe:
        httpGet: {path: /health/startup, port: admin}
        periodSeconds: 1
        failureThreshold: 120
      livenessProbe:
        httpGet: {path: /health/live, port: admin}
        periodSeconds: 10
        timeoutSeconds: 2
        failureThreshold: 3
      readinessProbe:
        httpGet: {path: /health/ready, port: admin}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 1
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: data, mountPath: {{ .Values.config.data_dir }}}
        # Whole directories: a file that is mounted alone would never change.
        - {name: config, mountPath: /etc/sark/config, readOnly: true}
        {{- if .Values.policy }}
        - {name: policy, mountPath: /etc/sark/policy, readOnly: true}
        {{- end }}
        {{- if .Values.secretName }}
        - {name: secrets, mountPath: /etc/sark/secrets, readOnly: true}
        {{- end }}
        - {name: tmp, mountPath: /tmp}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- if not .Values.persistence.enabled }}
    - {name: data, emptyDir: {}}
    {{- end }}
    - {name: config, configMap: {name: {{ include "sark.fullname" . }}-config}}
    {{- if .Values.policy }}
    - {name: policy, configMap: {name: {{ include "sark.fullname" . }}-policy}}
    {{- end }}
    {{- if .Values.secretName }}
    - {name: secrets, secret: {secretName: {{ .Values.secretName }}, defaultMode: 0440}}
    {{- end }}
    - {name: tmp, emptyDir: {}}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end -}}
