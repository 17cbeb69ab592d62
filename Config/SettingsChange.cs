namespace Couic.Config;

/// <summary>What a reload of the configuration can and cannot bring into force.</summary>
public static class SettingsChange
{
    /// <summary>
    /// The keys and tables that differ and are read at the start only. All others (logging, reporting, peering, guard) take effect while the
    /// daemon runs.
    /// </summary>
    public static IReadOnlyList<string> NeedRestart(Settings inForce, Settings wanted)
    {
        (string Key, bool IsSame)[] keys =
        [
            ("ifaces", inForce.Ifaces.SequenceEqual(wanted.Ifaces)),
            ("operation_mode", inForce.OperationMode == wanted.OperationMode),
            ("match", inForce.Match == wanted.Match),
            ("working_dir", inForce.WorkingDir == wanted.WorkingDir),
            ("user", inForce.User == wanted.User),
            ("group", inForce.Group == wanted.Group),
            ("server.socket", inForce.Server == wanted.Server),
            ("limits", inForce.Limits == wanted.Limits),
        ];
        return [.. keys.Where(key => !key.IsSame).Select(key => key.Key)];
    }
}
