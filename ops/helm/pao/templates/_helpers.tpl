{{- define "pao.name" -}}
{{- if contains "pao" .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- else -}}{{ printf "%s-pao" .Release.Name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end }}

{{- define "pao.selector" -}}
app.kubernetes.io/name: pao
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "pao.labels" -}}
{{ include "pao.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | quote }}
{{- end }}

{{- define "pao.config" -}}
{{- $own := list (include "pao.name" .) (printf "%s.%s" (include "pao.name" .) .Release.Namespace) (printf "%s.%s.svc" (include "pao.name" .) .Release.Namespace) -}}
{{ toYaml (merge (dict "allowed_hosts" (concat $own .Values.config.allowed_hosts)) .Values.config) }}
{{- end }}

{{- define "pao.pod" -}}
automountServiceAccountToken: false
{{- /* Links would set PAO_PORT to tcp://… for a service named pao. */}}
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{- define "pao.container" -}}
image: {{ printf "%s:%s" .root.Values.image.repository .root.Values.image.tag | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
envFrom:
  - secretRef:
      name: {{ .root.Values.existingSecret | quote }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: home
    mountPath: /var/lib/pao
  - name: config
    mountPath: /etc/pao
    readOnly: true
  - name: tmp
    mountPath: /tmp
{{- end }}
