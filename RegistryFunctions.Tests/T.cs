namespace RegistryFunctions.Tests;
public class T { [Fact] public void A() => Assert.True(true); [Fact] public void B() => Assert.Skip("x"); }
