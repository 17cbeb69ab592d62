using System.Text;
using System.Text.Json;
using Couic.CommandLine;
using Couic.Config;
using Couic.Daemon;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Daemon;

public sealed class ConfigCommandTests : IDisposable
{
    private const string Token = "0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EveryKeyIsShown_WithItsSource_AndNoSecret()
    {
        string config = Write();
        (int status, string output) = Run(config);
        Assert.Equal(0, status);
        string[] lines = output.Split('\n');
        Assert.Equal($"# {config}", lines[0]);
        Assert.Contains(lines, line => line.StartsWith("ifaces = [\"lo\"]", StringComparison.Ordinal) && line.EndsWith("# line 1", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("require_ifaces = false", StringComparison.Ordinal) && line.EndsWith("# default", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("max_drop_entries = 1000", StringComparison.Ordinal) && line.EndsWith("# line 6", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("token = \"(hidden)\"", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("webhook = \"https://hooks.example.net/(hidden)\"", StringComparison.Ordinal));
        Assert.DoesNotContain(Token, output, StringComparison.Ordinal);
        Assert.DoesNotContain("verysecret", output, StringComparison.Ordinal);
        string tsv = Run(config, "-o", "tsv").Output, json = Run(config, "--json").Output;
        foreach (SettingsTable table in SettingsSchema.Tables)
        {
            Assert.All(table.Keys, key => Assert.Contains($"\n{(table.Name.Length == 0 ? "" : table.Name + ".")}{key.Key}\t", tsv, StringComparison.Ordinal));
        }

        Assert.DoesNotContain(Token, tsv + json, StringComparison.Ordinal);
        using JsonDocument parsed = JsonDocument.Parse(json);
        Assert.Equal(config, parsed.RootElement.GetProperty("file").GetString());
    }

    [Fact]
    public void WhatIsShown_IsAConfigurationAgain()
    {
        string shown = Run(Write()).Output.Replace("\"(hidden)\"", $"\"{Token}\"", StringComparison.Ordinal);
        List<Fault> faults = [];
        Settings? settings = SettingsReader.Read("shown", Encoding.UTF8.GetBytes(shown), faults, checkHost: false);
        Assert.Equal([], faults.Select(fault => fault.ToString()));
        Assert.Equal(1000, settings!.Store.MaxDropEntries);
        Assert.Equal("b.example.net", settings.Peering.Peers[0].Host);
    }

    [Fact]
    public void AFaultyFile_IsAFailure() =>
        Assert.Equal(1, Run(_folder.Write("bad.toml", "ifaces = 1\n")).Status);

    private string Write() => _folder.Write("couic.toml", $"""
        ifaces = ["lo"]
        working_dir = "{_folder.Path}"
        user = "{FileOwner.Current.Uid}"
        group = "{FileOwner.Current.Gid}"
        server.socket = "/run/couic.sock"
        limits.max_drop_entries = 1000
        logging.dir = "-"
        reporting.enabled = true
        reporting.webhook = "https://hooks.example.net/verysecret"
        peering.enabled = true
        [[peering.peers]]
        host = "b.example.net"
        port = 2900
        tls = true
        token = "{Token}"
        """);

    private static (int Status, string Output) Run(string config, params string[] options)
    {
        using var output = new MemoryStream();
        using var errors = new StringWriter();
        int status = CommandProgram.Run(CouicCommands.Root, ["config", "show", "-c", config, .. options], new CliContext(output, errors, Stream.Null, Terminal.None));
        return (status, Encoding.UTF8.GetString(output.ToArray()));
    }
}
