using Couic.Config;
using Xunit;

namespace Couic.Tests.Config;

public class SettingsChangeTests
{
    private static readonly Settings Old = new()
    {
        Ifaces = ["eth0"],
        WorkingDir = "/w",
        User = "u",
        Group = "g",
        Logging = new LoggingSettings(null),
        Server = new ServerSettings("/s"),
    };

    [Fact]
    public void WhatIsReadAtTheStartOnlyIsNamed()
    {
        Settings all = Old with
        {
            Ifaces = ["eth1"],
            OperationMode = OperationMode.Native,
            Match = MatchSides.Destination,
            WorkingDir = "/x",
            User = "x",
            Group = "x",
            Server = new ServerSettings("/x"),
            Limits = new LimitSettings { MaxTags = 1 },
        };
        Assert.Equal(
            ["ifaces", "operation_mode", "match", "working_dir", "user", "group", "server.socket", "limits"],
            SettingsChange.NeedRestart(Old, all));
    }

    [Fact]
    public void TheRestChangesWhileTheDaemonRuns()
    {
        Settings rest = Old with
        {
            Ifaces = ["eth0"],
            Logging = new LoggingSettings("/l", LogRotation.Never),
            Reporting = new ReportingSettings(true, new Uri("http://h/")),
            Peering = new PeeringSettings { Enabled = true },
            Guard = new GuardSettings(GuardMode.Off),
        };
        Assert.Empty(SettingsChange.NeedRestart(Old, rest));
    }
}
