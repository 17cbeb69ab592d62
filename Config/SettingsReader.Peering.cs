namespace Couic.Config;

/// <summary>The tables <c>[peering]</c> and <c>[[peering.peers]]</c>.</summary>
public sealed partial class SettingsReader
{
    private static readonly string[] TlsKeys = ["ca_file", "cert_file", "key_file"];

    private static PeeringSettings ReadPeering(KeyReader table)
    {
        bool enabled = table.Boolean("enabled", false);
        IReadOnlyList<string> policies = table.Words("policies", ("drop", "drop"), ("ignore", "ignore")) ?? ["drop"];
        List<PeerSettings> peers = [];
        foreach (KeyReader peerTable in table.Tables("peers"))
        {
            PeerSettings peer = ReadPeer(peerTable);
            if (peer.Host.Length > 0 && peers.Any(other => other.ToString() == peer.ToString()))
            {
                peerTable.Fail("host", $"peering.peers names {peer} twice");
            }

            peers.Add(peer);
            if (peers.Count == PeeringSettings.MaxPeers + 1)
            {
                peerTable.Fail("host", $"peering.peers names too many peers: at most {PeeringSettings.MaxPeers} peers");
            }
        }

        table.Finish(Places);
        return new PeeringSettings { Enabled = enabled, Drop = policies.Contains("drop"), Ignore = policies.Contains("ignore"), Peers = peers };
    }

    private static PeerSettings ReadPeer(KeyReader table)
    {
        bool tls = table.Boolean("tls", false);
        var peer = new PeerSettings
        {
            Host = ReadHost(table, "host"),
            Port = table.RequiredNumber("port", 1, 65_535),
            Tls = tls,
            Token = ReadToken(table, "token"),
            CaFile = table.FullPath("ca_file", isRequired: false),
            CertFile = table.FullPath("cert_file", isRequired: false),
            KeyFile = table.FullPath("key_file", isRequired: false),
        };
        if (table.Has("cert_file") != table.Has("key_file"))
        {
            string given = table.Has("cert_file") ? "cert_file" : "key_file";
            table.Fail(given, $"peering.peers.{given} without {(given == "cert_file" ? "key_file" : "cert_file")} (a certificate needs its key)");
        }

        foreach (string key in TlsKeys.Where(key => !tls && table.Has(key)))
        {
            table.Fail(key, $"peering.peers.{key} without tls = true");
        }

        table.Finish();
        return peer;
    }

    /// <summary>A name of DNS or an address; brackets around an IPv6 address are taken off. Empty after a fault.</summary>
    internal static string ReadHost(KeyReader table, string key)
    {
        if (table.RequiredText(key) is not { } text)
        {
            return string.Empty;
        }

        if (HostText.Read(text) is { } host)
        {
            return host;
        }

        table.Fail(key, $"host = \"{text}\" {HostText.FaultOf(text)}");
        return string.Empty;
    }

    /// <summary>A hyphenated UUID; the text is a secret and never quoted.</summary>
    internal static Guid ReadToken(KeyReader table, string key)
    {
        if (table.RequiredText(key) is not { } text)
        {
            return default;
        }

        if (!TokenText.TryParse(text, out Guid token))
        {
            table.Fail(key, $"{key} {TokenText.Fault}");
        }

        return token;
    }
}
